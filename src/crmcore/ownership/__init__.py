"""Ownership of prospects: when one goes back to the pool, and how many an owner may hold."""

from crmcore.ownership.cap import CapPolicy
from crmcore.ownership.command import read_work_list
from crmcore.ownership.policy import ReclaimPolicy
from crmcore.ownership.values import PROTECTIONS, OwnedProspect, Prospect, Status
from crmcore.ownership.worklist import Item, OwnerLoad, WorkList, work_list

__all__ = [
    "PROTECTIONS",
    "CapPolicy",
    "Item",
    "OwnedProspect",
    "OwnerLoad",
    "Prospect",
    "ReclaimPolicy",
    "Status",
    "WorkList",
    "read_work_list",
    "work_list",
]
