"""Hypothesis profiles, where the shared material lies, and a server of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from server import Server

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

# The same examples each time: what passes here passes there, on a slow machine too. Times are the benchmarks' business.
settings.register_profile(
    "steady", derandomize=True, print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# New examples each time, and more of them: for `make test-all`. A failure prints the blob that reproduces it.
settings.register_profile("nightly", settings.get_profile("steady"), derandomize=False, max_examples=500)
settings.load_profile("steady")


def _shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data sets beside the repository; the test is skipped where they are not."""
    return _shared("data")


@pytest.fixture(scope="session")
def catalogue() -> Path:
    """The rule catalogue beside the repository; the test is skipped where it is not."""
    return _shared("rules/CATALOGUE.md")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server of the tests' own, one for each worker of xdist; the test is skipped where there is no PostgreSQL."""
    pytest.importorskip("pwd", reason="the server of the tests needs a POSIX system")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    from server import Lacking, serving

    try:
        with serving() as server:
            yield server
    except Lacking as lacking:
        pytest.skip(str(lacking))
