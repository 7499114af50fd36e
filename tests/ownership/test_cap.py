"""The cap: who holds the number is full (OWN-4, OWN-9, OWN-10)."""

from __future__ import annotations

import pickle
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from crmcore.decisions import Reason
from crmcore.errors import InvalidFact, InvalidPolicy, MissingFact, NaiveDatetime
from crmcore.ownership import CapPolicy
from ownership.stories import at

NOW = at("2026-01-01")
CAP = CapPolicy(default=100, per_owner={"newcomer": 20, 7: 3})


@pytest.mark.rule("OWN-4", "OWN-10")
@pytest.mark.parametrize(
    ("owner", "held", "full", "over"),
    [
        ("ann", 0, False, 0),
        ("ann", 99, False, 0),
        ("ann", 100, True, 0),
        ("ann", 130, True, 30),
        ("newcomer", 19, False, 0),
        ("newcomer", 20, True, 0),
        ("newcomer", 21, True, 1),
    ],
)
def test_full_is_at_the_cap_and_over_is_beyond_it(owner: str, held: int, full: bool, over: int) -> None:
    """Who holds the number is full, though nothing is over yet."""
    assert (CAP.full(owner, held), CAP.over_by(owner, held)) == (full, over)


@pytest.mark.rule("OWN-4")
def test_one_more_for_a_full_owner_stays_unassigned() -> None:
    decision = CAP.decide({"owner": "newcomer", "held": 20}, now=NOW)
    assert (decision.outcome, decision.step, decision.rule) == ("unassigned", 0, "OWN-4")
    assert (decision.next_change_at, decision.deadline, decision.missing) == (None, None, ())
    assert decision.reasons == (
        Reason(rule="OWN-4", code="cap", holds=True, fact="held", observed=20, limit=20, margin=0),
    )


@pytest.mark.rule("OWN-4")
def test_one_more_for_an_owner_with_room_is_assigned() -> None:
    decision = CAP.decide(SimpleNamespace(owner="newcomer", held=19), now=NOW)
    assert (decision.outcome, decision.rule, decision.as_of) == ("assign", None, NOW)
    (only,) = decision.reasons
    assert (only.holds, only.observed, only.limit, only.margin) == (False, 19, 20, -1)


def test_without_a_cap_nobody_is_full() -> None:
    free = CapPolicy()
    assert (free.cap("ann"), free.full("ann", 10**6), free.over_by("ann", 10**6)) == (None, False, None)
    decision = free.decide({"owner": "ann", "held": 5}, now=NOW)
    assert (decision.outcome, decision.reasons[0].limit, decision.reasons[0].margin) == ("assign", None, None)
    assert "5 open prospects, no cap" in decision.explain()


def test_a_cap_of_nothing_is_always_full() -> None:
    assert CapPolicy(default=0).full("ann", 0)


def test_ids_compare_as_text_too() -> None:
    """A book writes every id as text; a database may count them."""
    assert [CAP.cap(7), CAP.cap("7"), CapPolicy(per_owner={"7": 3}).cap(7)] == [3, 3, 3]


def test_the_cap_explains_itself_in_both_languages() -> None:
    decision = CAP.decide({"owner": "ann", "held": 101}, now=NOW)
    assert decision.explain() == (
        "Leave unassigned (OWN-4), as of 2026-01-01 00:00\n"
        "  + OWN-4 101 open prospects, cap 100\n"
        "  time alone changes nothing"
    )
    assert decision.explain("zh").splitlines()[1] == "  + OWN-4 持有101个潜在客户，上限100"


@pytest.mark.parametrize("held", [-1, 1.5, "3", True, None])
def test_a_count_is_a_whole_number(held: Any) -> None:
    with pytest.raises(InvalidFact, match=r"^held of 'ann' is .*; expected a whole number, 0 or more$"):
        CAP.decide({"owner": "ann", "held": held}, now=NOW)


def test_now_is_aware() -> None:
    with pytest.raises(NaiveDatetime, match=r"^now is 2026-01-01"):
        CAP.decide({"owner": "ann", "held": 1}, now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"default": -1}, "default: -1 is not a whole number, 0 or more"),
        ({"default": True}, "default: True is not a whole number, 0 or more"),
        ({"default": 1.9}, "default: 1.9 is not a whole number, 0 or more"),
        ({"default": "100"}, "default: '100' is not a whole number, 0 or more"),
        ({"per_owner": {"ann": None}}, "per_owner.ann: None is not a whole number, 0 or more"),
        ({"per_owner": {"ann": -3}}, "per_owner.ann: -3 is not a whole number, 0 or more"),
        ({"per_owner": [3]}, r"per_owner: [3] is not a table of owners, each with a number"),
    ],
)
def test_parameters_that_are_no_caps_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        CapPolicy(**parameters)
    assert str(caught.value) == said


def test_a_cap_is_a_frozen_value() -> None:
    """Equal, hashable, picklable; its digest knows neither name nor version, nor 7 from "7"."""
    same = CapPolicy(default=100, per_owner={7: 3, "newcomer": 20})
    assert (same, hash(same)) == (CAP, hash(CAP))
    assert pickle.loads(pickle.dumps(CAP)) == CAP
    named = CapPolicy(name="caps", version="2", default=100, per_owner={"7": 3, "newcomer": 20})
    assert named.digest == CAP.digest
    assert named.ref.record() == {"name": "caps", "version": "2", "digest": CAP.digest}
    assert CAP.ref.name == "ownership.cap"
    with pytest.raises(AttributeError):
        CAP.default = 1  # type: ignore[misc]


@pytest.mark.parametrize("other", [{"default": 99}, {"per_owner": {"newcomer": 21}}, {"per_owner": {}}])
def test_each_parameter_is_in_the_digest(other: dict[str, Any]) -> None:
    base: dict[str, Any] = {"default": 100, "per_owner": {"newcomer": 20}}
    assert CapPolicy(**{**base, **other}).digest != CapPolicy(**base).digest


def test_the_digest_is_pinned() -> None:
    """Same policy, same digest, years later."""
    assert CapPolicy(default=3, per_owner={"a": 1}).digest == (
        "28572cda6fe77f4683987a84f4ddc4f2552e2da49866b06b3a7df84e651a58c8"
    )


@pytest.mark.parametrize("facts", [{"owner": "ann"}, MappingProxyType({"held": 1}), SimpleNamespace(owner="ann")])
def test_a_missing_count_is_named(facts: Any) -> None:
    with pytest.raises(MissingFact, match=r"has no '(held|owner)'"):
        CAP.decide(facts, now=NOW)


def test_a_mapping_of_any_kind_will_do() -> None:
    assert CAP.decide(MappingProxyType({"owner": 7, "held": 3}), now=NOW).outcome == "unassigned"
