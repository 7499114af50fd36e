"""Decisions as values: codes, reasons, deadlines; rendering in English and Chinese."""

from crmcore.decisions.codes import FindingCode, Outcome, ReasonCode
from crmcore.decisions.decision import Decision, Finding, PolicyRef, Reason
from crmcore.decisions.facts import UNKNOWN

__all__ = ["UNKNOWN", "Decision", "Finding", "FindingCode", "Outcome", "PolicyRef", "Reason", "ReasonCode"]
