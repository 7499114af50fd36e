"""Facts are any object with the named attributes, or any mapping with the named keys."""

from __future__ import annotations

import dataclasses
from collections import ChainMap, OrderedDict, UserDict
from datetime import datetime
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import attrs
import pytest

from crmcore.errors import InvalidFact, InvalidPolicy, MissingFact, NaiveDatetime
from crmcore.ownership import OwnedProspect
from ownership.stories import at, outcome, prospect, reclaim

POLICY = reclaim(idle="30d", no_deal="90d")
NOW = at("2026-02-10")
FACTS: dict[str, Any] = {
    "status": "open",
    "owner": "ann",
    "assigned_at": at("2026-01-01"),
    "last_contact_at": None,
    "frozen_until": None,
}


@dataclasses.dataclass(frozen=True)
class Data:
    status: str
    owner: str
    assigned_at: datetime
    last_contact_at: datetime | None
    frozen_until: datetime | None


class Tuple(NamedTuple):
    status: str
    owner: str
    assigned_at: datetime
    last_contact_at: datetime | None
    frozen_until: datetime | None


class Model:
    """As an ORM makes them: columns of its own names, properties, methods."""

    objects: Any = None
    frozen_until = None

    def __init__(self) -> None:
        self.pk = 17
        self.owner_id = 5
        self.stage = "open"
        self.created = at("2026-01-01")

    @property
    def status(self) -> str:
        return self.stage

    @property
    def owner(self) -> int:
        return self.owner_id

    @property
    def assigned_at(self) -> datetime:
        return self.created

    @property
    def last_contact_at(self) -> datetime | None:
        return None


@pytest.mark.parametrize(
    "facts",
    [
        FACTS,
        MappingProxyType(FACTS),
        UserDict(FACTS),
        ChainMap({"status": "open"}, FACTS),
        OrderedDict(FACTS),
        Data(**FACTS),
        Tuple(**FACTS),
        SimpleNamespace(**FACTS),
        attrs.make_class("Attrs", list(FACTS))(**FACTS),
        Model(),
        prospect(),
    ],
    ids=lambda facts: type(facts).__name__,
)
def test_every_kind_of_record_gives_the_same_answer(facts: Any) -> None:
    assert outcome(POLICY, facts, NOW) == "reclaim"
    assert POLICY.deadline(facts) == at("2026-01-31")
    assert [found.code for found in POLICY.decide(facts, now=NOW).reasons] == ["idle", "no_deal", "frozen"]


def test_a_host_object_satisfies_the_protocol() -> None:
    host: OwnedProspect = Model()
    assert outcome(POLICY, host, NOW) == "reclaim"


def test_reads_names_the_facts_and_the_flag_comes_last() -> None:
    assert reclaim().reads == ("status", "owner", "frozen_until")
    assert reclaim(no_deal="9d").reads == ("status", "owner", "assigned_at", "frozen_until")
    assert reclaim(idle={"A": "9d"}, protected_by=["order"], appointment="1d", min_hold="1d").reads == (
        "status",
        "owner",
        "assigned_at",
        "last_contact_at",
        "grade",
        "frozen_until",
        "order_until",
        "appointment_at",
        "contact_unknown",
    )


HOSTS = {
    "status": "stage",
    "owner": "owner_id",
    "assigned_at": "created",
    "last_contact_at": "负责人.last-seen",
    "frozen_until": "frozen_until",
}


@pytest.mark.parametrize("kind", [dict, UserDict, lambda facts: SimpleNamespace(**facts)])
def test_reading_gives_the_same_answers_on_the_hosts_names(kind: Any) -> None:
    """Names that are no identifiers will do for mappings."""
    names = dict(HOSTS)
    if not isinstance(kind, type):
        names["last_contact_at"] = "最近联系"
    policy = POLICY.reading(**names)
    assert (policy.digest, policy.reads) == (POLICY.digest, POLICY.reads)
    for facts in (FACTS, {**FACTS, "last_contact_at": at("2026-02-01")}, {**FACTS, "status": "won"}):
        host = kind({names[fact]: value for fact, value in facts.items()})
        assert outcome(policy, host, NOW) == outcome(POLICY, facts, NOW)
        assert policy.deadline(host) == POLICY.deadline(facts)
        assert policy.decide(host, now=NOW) == POLICY.decide(facts, now=NOW)


def test_a_name_may_lead_through_an_object() -> None:
    policy = POLICY.reading(owner="user.pk")
    facts = SimpleNamespace(**{**FACTS, "user": SimpleNamespace(pk=3)})
    assert outcome(policy, facts, NOW) == "reclaim"
    with pytest.raises(MissingFact, match=r"has no 'user.pk', which the policy reads as 'owner'"):
        policy.decide(SimpleNamespace(**{**FACTS, "user": SimpleNamespace()}), now=NOW)


def test_a_second_reading_adds_to_the_first() -> None:
    policy = POLICY.reading(owner="rep").reading(status="stage")
    facts = {**FACTS, "rep": "ann", "stage": "open", "owner": None, "status": "won"}
    assert outcome(policy, facts, NOW) == "reclaim"


def test_the_flag_may_have_another_name_too() -> None:
    policy = POLICY.reading(contact_unknown="lost_track")
    assert outcome(policy, {**FACTS, "lost_track": True}, NOW) == "needs_data"
    assert outcome(policy, SimpleNamespace(**FACTS, lost_track=True), NOW) == "needs_data"
    assert outcome(policy, UserDict({**FACTS, "lost_track": True}), NOW) == "needs_data"


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ("ownr", r"^reading\(ownr=…\): 'ownr' is not a fact of this policy; did you mean 'owner'\?$"),
        ("zzz", r"^reading\(zzz=…\): 'zzz' is not a fact of this policy \(status, owner, assigned_at, "),
    ],
)
def test_reading_a_fact_that_the_policy_does_not_know_is_refused(fact: str, said: str) -> None:
    with pytest.raises(InvalidPolicy, match=said):
        POLICY.reading(**{fact: "x"})


def test_reading_facts_that_are_not_judged_here_is_fine() -> None:
    """One set of names serves every policy."""
    assert POLICY.reading(grade="rank", contract_until="contract_end", appointment_at="meeting").digest == POLICY.digest


def without(fact: str) -> dict[str, Any]:
    return {name: value for name, value in FACTS.items() if name != fact}


@pytest.mark.parametrize("fact", list(FACTS))
@pytest.mark.parametrize(
    ("kind", "called"),
    [
        (dict, "the mapping"),
        (MappingProxyType, "the mapping"),
        (lambda facts: SimpleNamespace(**facts), "SimpleNamespace"),
    ],
)
def test_a_fact_that_the_record_lacks_is_named_with_what_to_do(fact: str, kind: Any, called: str) -> None:
    with pytest.raises(MissingFact) as caught:
        POLICY.decide(kind(without(fact)), now=NOW)
    assert str(caught.value) == (
        f"{called} has no {fact!r}, which the policy reads as {fact!r}; add it (None says there was none),"
        f" or name yours: policy.reading({fact}='…')"
    )


def test_a_missing_fact_is_named_by_both_names() -> None:
    with pytest.raises(MissingFact, match="has no 'owner_id', which the policy reads as 'owner'"):
        POLICY.reading(owner="owner_id").decide(FACTS, now=NOW)


def test_at_names_a_missing_fact_too() -> None:
    with pytest.raises(MissingFact, match="'assigned_at'"):
        POLICY.at(NOW)(without("assigned_at"))


class Failing(Model):
    @property
    def owner(self) -> int:
        raise KeyError(self.stage)


def test_an_error_inside_a_property_is_the_hosts_own() -> None:
    with pytest.raises(KeyError, match="open"):
        POLICY.decide(Failing(), now=NOW)


class Elsewhere(Model):
    user: Any = None

    @property
    def owner(self) -> int:
        found: int = self.user.id
        return found


def test_an_attribute_error_of_another_object_is_the_hosts_own() -> None:
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'id'"):
        POLICY.decide(Elsewhere(), now=NOW)


class Misspelt(Model):
    @property
    def owner(self) -> int:
        found: int = self.owner_pk  # type: ignore[attr-defined]
        return found


def test_an_attribute_that_a_property_misses_is_the_hosts_own() -> None:
    with pytest.raises(AttributeError, match="owner_pk"):
        POLICY.decide(Misspelt(), now=NOW)


class Flickering(Model):
    reads = 0

    @property
    def owner(self) -> int:
        self.reads += 1
        if self.reads <= 2:
            raise AttributeError
        return self.owner_id


def test_an_attribute_that_comes_and_goes_is_an_error() -> None:
    with pytest.raises(AttributeError, match=r"^Flickering lost an attribute while it was read$"):
        POLICY.decide(Flickering(), now=NOW)


@pytest.mark.parametrize("fact", ["assigned_at", "last_contact_at", "frozen_until"])
@pytest.mark.parametrize("judge", ["decide", "at", "deadline"])
def test_an_instant_without_an_offset_is_named_with_its_record(fact: str, judge: str) -> None:
    facts = prospect(**{fact: datetime(2026, 1, 5, 10)})
    judges: dict[str, Any] = {
        "decide": lambda: POLICY.decide(facts, now=NOW),
        "at": lambda: POLICY.at(NOW)(facts),
        "deadline": lambda: POLICY.deadline(facts),
    }
    with pytest.raises(NaiveDatetime) as caught:
        judges[judge]()
    assert str(caught.value).startswith(f"{fact} of 'p1' is 2026-01-05 10:00:00, without an offset")


def test_the_record_is_named_by_the_hosts_id() -> None:
    policy = POLICY.reading(id="pk")
    with pytest.raises(NaiveDatetime, match=r"^assigned_at of 7 is"):
        policy.decide({**FACTS, "pk": 7, "assigned_at": datetime(2026, 1, 1)}, now=NOW)
    with pytest.raises(NaiveDatetime, match=r"^assigned_at is"):
        POLICY.decide({**FACTS, "assigned_at": datetime(2026, 1, 1)}, now=NOW)


def test_now_without_an_offset_is_refused() -> None:
    with pytest.raises(NaiveDatetime, match=r"^now is"):
        POLICY.decide(FACTS, now=datetime(2026, 2, 10))
    with pytest.raises(NaiveDatetime, match=r"^now is"):
        POLICY.at(datetime(2026, 2, 10))


@pytest.mark.parametrize("status", ["Open", "engaged", "", None, 3, []])
def test_an_unknown_status_is_refused_with_the_codes_that_are_ours(status: Any) -> None:
    with pytest.raises(InvalidFact) as caught:
        POLICY.decide(prospect(status=status), now=NOW)
    assert str(caught.value) == (
        f"status of 'p1' is {status!r}; expected one of open, won, lost, invalid; map your codes to these"
    )
    with pytest.raises(InvalidFact):
        POLICY.at(NOW)(prospect(status=status))


@pytest.mark.parametrize("value", ["2026-01-05", 1767600000, at("2026-01-05").date()])
def test_text_and_numbers_are_no_instants(value: Any) -> None:
    with pytest.raises(InvalidFact, match=r"^last_contact_at of 'p1' is .*; expected an aware datetime$"):
        POLICY.decide(prospect(last_contact_at=value), now=NOW)


@pytest.mark.parametrize("host", ["class", "from", "None"])
def test_a_hosts_name_may_be_a_word_of_python(host: str) -> None:
    facts = {**FACTS, host: "open"}
    assert outcome(POLICY.reading(status=host), facts, NOW) == "reclaim"


def test_the_flags_name_may_lead_through_an_object() -> None:
    policy = POLICY.reading(contact_unknown="meta.lost_track")
    facts = SimpleNamespace(**FACTS, meta=SimpleNamespace(lost_track=True))
    assert outcome(policy, facts, NOW) == "needs_data"


def test_a_grade_that_is_no_code_is_refused() -> None:
    with pytest.raises(InvalidFact, match=r"^grade .*; expected a code, as text$"):
        reclaim(idle={"A": "9d"}).decide(prospect(grade=["A"]), now=NOW)


@pytest.mark.parametrize("kind", [dict, lambda facts: SimpleNamespace(**facts)])
def test_a_record_is_not_changed_and_a_decision_does_not_follow_it(kind: Any) -> None:
    """Reasons are built later, from the values that were read."""
    facts = kind(FACTS)
    decision = POLICY.decide(facts, now=NOW)
    if isinstance(facts, dict):
        assert facts == FACTS
        facts["assigned_at"] = None
    else:
        assert vars(facts) == FACTS
        facts.assigned_at = None
    assert decision.reasons[0].observed == at("2026-01-01")


@pytest.mark.parametrize("changed", [{"status": "won"}, {"owner": None}])
def test_a_record_that_is_not_judged_passes_the_same_door(changed: dict[str, Any]) -> None:
    """A naive instant is refused at once, not when somebody asks for the reasons."""
    facts = {**FACTS, **changed, "id": "p9", "assigned_at": datetime(2026, 1, 1)}
    with pytest.raises(NaiveDatetime, match=r"assigned_at of 'p9'"):
        reclaim(no_deal="9d").decide(facts, now=NOW)
