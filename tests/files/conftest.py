"""What the tests of files share: the facts of a prospect, a map, and files written for one test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crmcore.errors import Fault, InvalidFile
from crmcore.files import STATUS_CODES, FactSpec, Map, Records

FACTS = (
    FactSpec("id", "id", required=True),
    FactSpec("owner", "text", required=True),
    FactSpec("status", "code", required=True, codes=STATUS_CODES),
    FactSpec("assigned_at", "instant", required=True),
    FactSpec("last_contact_at", "instant"),
    FactSpec("grade", "code"),
    FactSpec("value", "money"),
    FactSpec("contract_until", "protection"),
    FactSpec("contact_unknown", "flag"),
)

COLUMNS = """
[columns]
id = "id"
owner = "owner"
status = "stage"
assigned_at = ["engaged", "created"]
last_contact_at = "last"
grade = "grade"
value = "value"
contract_until = "contract"
contact_unknown = "lost_track"
"""


class Files:
    """Writes files and reads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, content: str | bytes, name: str = "deals.csv", encoding: str = "utf-8") -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    def map(self, text: str = "", columns: str = COLUMNS) -> Map:
        return Map.load("map.toml", FACTS, f"schema = 1\n{text}\n{columns}")

    def records(self, content: str | bytes, name: str = "deals.csv", mapped: str = "", **options: Any) -> Records:
        return Records(self.write(content, name), self.map(mapped), FACTS, **options)

    def read(
        self, content: str | bytes, name: str = "deals.csv", mapped: str = "", **options: Any
    ) -> list[dict[str, Any]]:
        return list(self.records(content, name, mapped, **options))

    def faults(
        self, content: str | bytes, name: str = "deals.csv", mapped: str = "", **options: Any
    ) -> tuple[Fault, ...]:
        return faults_of(lambda: self.read(content, name, mapped, **options))

    def fault(self, content: str | bytes, name: str = "deals.csv", mapped: str = "", **options: Any) -> tuple[Any, ...]:
        """The only fault: place, value, problem and remedy."""
        (fault,) = self.faults(content, name, mapped, **options)
        return fault.place, fault.value, fault.problem, fault.remedy


def faults_of(action: Callable[[], object]) -> tuple[Fault, ...]:
    with pytest.raises(InvalidFile) as caught:
        action()
    return caught.value.faults


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def map_fault() -> Callable[..., tuple[Any, ...]]:
    """The only fault of a map: place, value, problem and remedy."""

    def fault(text: str, columns: str = COLUMNS) -> tuple[Any, ...]:
        (found,) = faults_of(lambda: Map.load("map.toml", FACTS, f"schema = 1\n{text}\n{columns}"))
        return found.place, found.value, found.problem, found.remedy

    return fault


@pytest.fixture
def map_faults() -> Callable[[str], tuple[Fault, ...]]:
    """All faults of a map's text."""
    return lambda text: faults_of(lambda: Map.load("map.toml", FACTS, text))
