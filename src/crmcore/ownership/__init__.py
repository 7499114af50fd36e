"""Ownership of prospects: when one goes back to the pool, and how many an owner may hold."""

from crmcore.ownership.cap import CapPolicy
from crmcore.ownership.command import read_work_list
from crmcore.ownership.desk import Granted, Put, Refused
from crmcore.ownership.policy import ReclaimPolicy
from crmcore.ownership.rollout import Grace, RunLimits
from crmcore.ownership.service import OwnershipService
from crmcore.ownership.stored import Activation, Answer, Event, EventKind, Message, Stored
from crmcore.ownership.values import PROTECTIONS, OwnedProspect, Prospect, Status
from crmcore.ownership.worklist import Item, OwnerLoad, WorkList, work_list

__all__ = [
    "PROTECTIONS",
    "Activation",
    "Answer",
    "CapPolicy",
    "Event",
    "EventKind",
    "Grace",
    "Granted",
    "Item",
    "Message",
    "OwnedProspect",
    "OwnerLoad",
    "OwnershipService",
    "Prospect",
    "Put",
    "ReclaimPolicy",
    "Refused",
    "RunLimits",
    "Status",
    "Stored",
    "WorkList",
    "read_work_list",
    "work_list",
]
