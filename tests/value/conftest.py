"""What the tests of value share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings


@pytest.fixture
def one_fault() -> Iterator[None]:
    """To show that a law bites, the first example that breaks it is enough: it is not shrunk, nor joined by others."""
    name = settings.get_current_profile_name()
    usual = settings.get_profile(name)
    settings.register_profile("one_fault", usual, phases=(Phase.generate,), report_multiple_bugs=False)
    settings.load_profile("one_fault")
    yield
    settings.load_profile(name)
