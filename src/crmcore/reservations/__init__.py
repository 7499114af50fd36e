"""Counters with a ceiling: reserve, then commit or release; what caps, daily ceilings and quotas are kept by."""

from crmcore.reservations.memory import MemoryCounters
from crmcore.reservations.ports import Counters
from crmcore.reservations.values import Full, Reservation

__all__ = ["Counters", "Full", "MemoryCounters", "Reservation"]
