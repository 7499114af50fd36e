"""The registry of rules, the catalogue and the tests' marks name the same rules."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crmcore.errors import CrmcoreError
from crmcore.rules import RULES, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent
ROW = re.compile(r"^\| (?P<id>[A-Z]{3}-\d+) \|.*\| (?P<source>[^|]*) \|$", re.MULTILINE)
CHINESE = re.compile(r"[\u4e00-\u9fff·]+")


def marked() -> Iterator[tuple[str, ast.expr]]:
    """Where each ``pytest.mark.rule(…)`` stands, and each of its arguments."""
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="mark"), attr="rule"), args=args):
                    for arg in args:
                        yield f"{path.relative_to(TESTS)}:{node.lineno}", arg


MARKS = [(place, ast.literal_eval(arg)) for place, arg in marked()]


def sources(catalogue: Path) -> dict[str, str]:
    """Rule ID to source, less the Chinese terms that the catalogue quotes beside the section."""
    rows = ROW.finditer(catalogue.read_text(encoding="utf-8"))
    return {row["id"]: CHINESE.sub("", row["source"]).strip() for row in rows}


def test_every_rule_is_in_the_catalogue(catalogue: Path) -> None:
    """A rule of the library is the catalogue's, with the same source."""
    there = sources(catalogue)
    assert {each.id: each.source for each in RULES.values()} == {id: there.get(id) for id in RULES}


@pytest.mark.parametrize("id", RULES)
def test_every_rule_is_shown_by_a_test(id: str) -> None:
    """For each rule of the library at least one test says that it shows it."""
    assert id in {marked for _, marked in MARKS}


def test_marks_name_known_rules() -> None:
    """A test marks only rules that the library has: no typing error, no rule that is not done."""
    assert [f"{place}: {id}" for place, id in MARKS if id not in RULES] == []


def test_marks_name_rules_of_the_catalogue(catalogue: Path) -> None:
    """A test marks only rules that the catalogue has."""
    there = sources(catalogue)
    assert [f"{place}: {id}" for place, id in MARKS if id not in there] == []


def test_rules_are_in_catalogue_order(catalogue: Path) -> None:
    """The first rule that holds is the first in this order."""
    assert list(RULES) == [id for id in sources(catalogue) if id in RULES]


def test_lookup() -> None:
    """A rule is found by its ID and has a title in both languages."""
    assert rule("OWN-1") is RULES["OWN-1"]
    assert (rule("OWN-1").title(), rule("OWN-1").title("zh")) == ("Idle reclaim", "闲置回收")


def test_unknown_rule() -> None:
    """A rule that the release does not know is named, with those that it knows."""
    with pytest.raises(CrmcoreError, match="'OWN-99' is no rule of this release; known: VAL-1, VAL-2"):
        rule("OWN-99")
