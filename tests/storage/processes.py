"""Processes of the tests' own, forked off one that has imported everything: each begins at once, and as if alone."""

from __future__ import annotations

from multiprocessing import get_context
from typing import Final

__all__ = ["PROCESSES"]

PROCESSES: Final = get_context("forkserver")
PROCESSES.set_forkserver_preload(["crmcore.storage.sql", "crmcore.ownership", "psycopg"])
