"""The concepts that bring tables, in the order in which a book is written; an explicit tuple, no plug-ins."""

from __future__ import annotations

from typing import Final

from crmcore.ownership import settings as ownership
from crmcore.value import settings as value

__all__ = ["CONCEPTS"]

CONCEPTS: Final = (ownership, value)
