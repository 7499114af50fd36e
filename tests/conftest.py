"""Hypothesis profiles, and where the shared material lies."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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
