"""Stores of prospects, in memory and in databases, and the daily run over them."""

from crmcore.storage.memory import MemoryStore
from crmcore.storage.report import RunReport
from crmcore.storage.runs import reindex, run

__all__ = ["MemoryStore", "RunReport", "reindex", "run"]
