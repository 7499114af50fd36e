"""Every law is proven to bite: for each, policies that break it, which the kit must catch with its own cases."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Never

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmcore import testing
from crmcore.book import PolicyBook
from crmcore.calendars import BusinessCalendar, Span, to_utc
from crmcore.decisions import Outcome
from crmcore.ownership import CapPolicy, ReclaimPolicy
from crmcore.testing import laws

MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
OFFICE = BusinessCalendar(
    zone="Europe/Berlin", week={day: ["09:00-18:00"] for day in ("mon", "tue", "thu")}, name="office"
)
SOUND = ReclaimPolicy(
    idle={"A": "5d", "B": "40h", "C": "3wd"},
    no_deal="2mo",
    min_hold="3d",
    remind_before=["2h", "1d"],
    min_remaining="12h",
    protected_by=["contract"],
    appointment="4d",
    zone="Europe/Berlin",
    calendar=OFFICE,
)


class Wrapper:
    """A policy of another make with the same face; all that it is not told otherwise is the sound policy's."""

    def __init__(self, policy: Any = SOUND) -> None:
        self.policy = policy

    def __getattr__(self, name: Any) -> Any:
        if name.startswith("__") or name == "policy":
            raise AttributeError(name)
        return getattr(self.policy, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.policy})"

    def __eq__(self, other: object) -> Any:
        return type(other) is type(self) and self.policy == other.policy

    def __hash__(self) -> Any:
        return hash(self.policy)

    def decide(self, facts: Any, *, now: Any) -> Any:
        return self.policy.decide(facts, now=now)

    def at(self, now: Any) -> Any:
        return lambda facts: self.decide(facts, now=now).outcome

    def reading(self, **names: Any) -> Any:
        return type(self)(self.policy.reading(**names))


def without(facts: Any, **changes: Any) -> Any:
    """A copy of the record with some facts changed, whatever it is."""
    found = dict(facts) if not hasattr(facts, "__dict__") else vars(facts)
    return SimpleNamespace(**{**found, **{fact: value for fact, value in changes.items() if fact in found}})


class ChangesADayLate(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        decision = super().decide(facts, now=now)
        change = decision.next_change_at
        return attrs.evolve(decision, next_change_at=change and change + DAY)


class ChangesEarly(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        decision = super().decide(facts, now=now)
        change = decision.next_change_at
        return attrs.evolve(decision, next_change_at=change and max(change - MICROSECOND, now + MICROSECOND))


class NeverChanges(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        return attrs.evolve(super().decide(facts, now=now), next_change_at=None)


class ChangesNow(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        decision = super().decide(facts, now=now)
        return attrs.evolve(decision, next_change_at=decision.next_change_at and now)


class ForgetsTheFuture(Wrapper):
    """Does not look again when a contact that lies ahead comes to count."""

    def decide(self, facts: Any, *, now: Any) -> Any:
        decision = super().decide(facts, now=now)
        past = [getattr(facts, fact) for fact in ("assigned_at", "last_contact_at")]
        ahead = {at for at in past if hasattr(at, "tzinfo") and at > now}
        return attrs.evolve(decision, next_change_at=None) if decision.next_change_at in ahead else decision


class RoundsToSeconds(Wrapper):
    """Works on whole seconds of `now`, as a store without fractions does."""

    def decide(self, facts: Any, *, now: Any) -> Any:
        return attrs.evolve(super().decide(facts, now=to_utc(now).replace(microsecond=0)), as_of=to_utc(now))


class TellsAnotherNow(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        return attrs.evolve(super().decide(facts, now=now), as_of=now + MICROSECOND)


class EvaluatesBeforeItIsDue(Wrapper):
    """`at` with < where `decide` has <=."""

    def at(self, now: Any) -> Any:
        return lambda facts: self.decide(facts, now=now - MICROSECOND).outcome


class FailsInLoops(Wrapper):
    def at(self, now: Any) -> Any:  # noqa: ARG002 - the face's signature
        def evaluate(facts: Any) -> Never:
            msg = "no such attribute"
            raise AttributeError(msg)

        return evaluate


class ForgetsTheHostsNames(Wrapper):
    def reading(self, **names: Any) -> Any:
        return Wrapper(attrs.evolve(self.policy.reading(**names), idle="5d"))


class RemindsFromACopy(Wrapper):
    """Reminders by arithmetic of their own: the lead as elapsed hours, a microsecond late."""

    def decide(self, facts: Any, *, now: Any) -> Any:
        decision = super().decide(facts, now=now)
        due = decision.deadline
        if decision.outcome not in (Outcome.KEEP, Outcome.REMIND) or due is None:
            return decision
        step = sum(due - lead.nominal < now for lead in self.policy.remind_before)
        return attrs.evolve(decision, outcome=Outcome.REMIND if step else Outcome.KEEP, step=step)


class RemindsOfTheWrongStep(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        decision = super().decide(facts, now=now)
        steps = len(self.policy.remind_before)
        return attrs.evolve(decision, step=steps - decision.step + 1) if decision.step else decision


class NaiveDays(Wrapper):
    """A deadline in days of 24 hours: an hour off over a change of the clocks, and off in every working day."""

    def deadline(self, facts: Any) -> Any:
        starts = [to_utc(at) for at in (facts.assigned_at, facts.last_contact_at) if isinstance(at, datetime)]
        return max(starts) + timedelta(days=5) if starts else None


class DueAfterTheDeadline(Wrapper):
    def deadline(self, facts: Any) -> Any:
        due = self.policy.deadline(facts)
        return due and due - MICROSECOND


class IgnoresTheFreeze(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        return super().decide(without(facts, frozen_until=None), now=now)


class IgnoresWhatRemains(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        return attrs.evolve(self.policy, min_remaining=None).decide(facts, now=now)


class IgnoresTheMinimumHold(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        return attrs.evolve(self.policy, min_hold=None).decide(facts, now=now)


class ReclaimsTheWon(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        return super().decide(without(facts, status="open"), now=now)


class ReadsSomethingElse(Wrapper):
    """Spares a region that is not in `reads`."""

    def decide(self, facts: Any, *, now: Any) -> Any:
        region = facts.get("region") if isinstance(facts, dict) else getattr(facts, "region", None)
        decision = super().decide(facts, now=now)
        return attrs.evolve(decision, outcome=Outcome.KEEP, step=0) if region == "north" else decision


class NeedsSomethingElse(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        return super().decide(facts, now=now) if facts.id else None


class GuessesKeep(Wrapper):
    """Where data are needed, hopes for the best."""

    def decide(self, facts: Any, *, now: Any) -> Any:
        decision = super().decide(facts, now=now)
        asks = decision.outcome is Outcome.NEEDS_DATA
        return attrs.evolve(decision, outcome=Outcome.KEEP) if asks else decision


class AlwaysAsks(Wrapper):
    """Asks for the data whenever a fact is not known, whether it matters or not."""

    def decide(self, facts: Any, *, now: Any) -> Any:
        decision = super().decide(facts, now=now)
        if "UNKNOWN" not in repr(facts):
            return decision
        unknown = tuple(fact for fact in self.policy.reads if repr(getattr(facts, fact, None)) == "UNKNOWN")
        return attrs.evolve(decision, outcome=Outcome.NEEDS_DATA, step=0, missing=unknown)


class AsksForNothing(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        return attrs.evolve(super().decide(facts, now=now), missing=())


class SparesShortLimits(Wrapper):
    """Reclaims only where the limits are long: a longer one reclaims more."""

    def decide(self, facts: Any, *, now: Any) -> Any:
        decision = super().decide(facts, now=now)
        short = self.policy.no_deal == SOUND.no_deal
        return attrs.evolve(decision, outcome=Outcome.KEEP, step=0) if short else decision


class FallsDueTheSooner(Wrapper):
    def deadline(self, facts: Any) -> Any:
        due = self.policy.deadline(facts)
        return due and (due if self.policy.no_deal == SOUND.no_deal else due - timedelta(days=4000))


class CountsItsCalls(Wrapper):
    calls = 0

    def decide(self, facts: Any, *, now: Any) -> Any:
        CountsItsCalls.calls += 1
        return attrs.evolve(super().decide(facts, now=now), step=self.calls)


class StampsTheRecord(Wrapper):
    def decide(self, facts: Any, *, now: Any) -> Any:
        decision = super().decide(facts, now=now)
        facts.last_contact_at = now
        return decision


class DigestOfTheNames(Wrapper):
    @property
    def digest(self) -> Any:
        return self.policy.digest + repr(self.policy.names)


class ReadsOtherNames(Wrapper):
    @property
    def reads(self) -> Any:
        return (*self.policy.reads, *self.policy.names)


class DigestOfTheName(Wrapper):
    @property
    def digest(self) -> str:
        return f"{self.policy.digest}{self.policy.name}"


class DigestOfTheObject(Wrapper):
    @property
    def digest(self) -> Any:
        return id(self)


class EqualWhateverTheLimit(Wrapper):
    def __eq__(self, other: object) -> Any:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


class DigestWithoutTheCalendar(Wrapper):
    @property
    def digest(self) -> Any:
        return repr({key: value for key, value in self.policy.canonical().items() if key != "calendar"})


class DigestWithoutTheLeads(Wrapper):
    @property
    def digest(self) -> Any:
        return repr({key: value for key, value in self.policy.canonical().items() if key != "remind_before"})


ONE_RECORD = {
    "answer_is_constant_until_next_change": [
        (ChangesADayLate, "before next_change_at|passes over"),
        (ChangesEarly, "does not change at|before next_change_at"),
        (NeverChanges, "before next_change_at|passes over"),
        (ChangesNow, "not after as_of"),
        (ForgetsTheFuture, "passes over a fact that lies ahead"),
        (RoundsToSeconds, "not after as_of|before next_change_at"),
        (TellsAnotherNow, "not the instant asked for"),
    ],
    "at_equals_decide": [
        (EvaluatesBeforeItIsDue, r"at\(now\) does not say what decide says"),
        (FailsInLoops, "no such attribute"),
        (ForgetsTheHostsNames, "on other names: another decision"),
    ],
    "reminder_is_reclaim_seen_earlier": [
        (RemindsFromACopy, "a reminder is not what"),
        (RemindsOfTheWrongStep, "a reminder is not what"),
    ],
    "deadline_is_when_it_is_due": [
        (NaiveDays, "is not when it is due|another deadline"),
        (DueAfterTheDeadline, "is not when it is due|another deadline"),
        (RoundsToSeconds, "is not when it is due|not due|another deadline"),
    ],
    "protected_is_never_reclaimed": [
        (IgnoresTheFreeze, "frozen_until"),
        (IgnoresWhatRemains, "_until holds it back"),
        (IgnoresTheMinimumHold, "assigned_at holds it back"),
    ],
    "closed_or_unowned_is_kept": [(ReclaimsTheWon, "is not kept for good")],
    "unknown_is_answered_only_when_certain": [
        (GuessesKeep, "answered, but an unknown fact decides"),
        (AlwaysAsks, "asks for data that change nothing|but which"),
        (AsksForNothing, "but which"),
    ],
    "decision_is_deterministic": [
        (CountsItsCalls, "deciding again gives another"),
        (StampsTheRecord, "deciding changes the record|another decision"),
    ],
}

PAIRS = [(law, broken, says) for law, found in ONE_RECORD.items() for broken, says in found]


def run(test: Any, *strategies: Any, examples: Any = 500) -> None:
    """The test on cases of the kit's own, the same each time."""
    profile = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=[*settings.default.phases[:3]],
        suppress_health_check=list(HealthCheck),
    )
    profile(given(*strategies)(test))()


def caught(test: Any, *strategies: Any, examples: Any = 500) -> Any:
    """What the law says of the broken policy."""
    with pytest.raises(AssertionError) as found:
        run(test, *strategies, examples=examples)
    return str(found.value)


@st.composite
def records(draw: Any, policy: Any = SOUND) -> Any:
    now = draw(testing.moments(policy))
    return draw(testing.prospects(policy, now)), now


@pytest.mark.parametrize(("law", "broken", "says"), PAIRS, ids=[f"{law}-{each.__name__}" for law, each, _ in PAIRS])
def test_caught(law: Any, broken: Any, says: Any) -> None:
    """A policy that breaks the law is caught, and told what is wrong with it."""
    text = caught(lambda case: getattr(laws, law)(broken(), *case), records())
    assert re.search(says, text), text
    assert broken.__name__ in text
    assert "facts: " in text


@pytest.mark.parametrize("law", ONE_RECORD)
def test_a_sound_wrapper_passes(law: Any) -> None:
    """What is caught is the fault, not the wrapper."""
    run(lambda case: getattr(laws, law)(Wrapper(), *case), records(), examples=60)


@pytest.mark.parametrize(
    ("broken", "says"), [(ReadsSomethingElse, "with others"), (NeedsSomethingElse, "decide raised")]
)
def test_unread_facts(broken: Any, says: Any) -> None:
    """A policy that looks at what is not in `reads` is caught, whether it decides by it or fails without it."""
    noise = {"region": "north", "id": 1}
    text = caught(lambda case: laws.unread_facts_change_nothing(broken(), *case, noise), records())
    assert says in text


def test_unread_facts_in_reasons() -> None:
    """So is one whose reasons only are other ones."""

    class Gossips(Wrapper):
        def decide(self, facts: Any, *, now: Any) -> Any:
            decision = super().decide(facts, now=now)
            told = isinstance(facts, dict) and "region" in facts
            decision.__dict__["_evidence"] = SimpleNamespace(reasons=lambda _: (told,))
            return decision

    text = caught(lambda case: laws.unread_facts_change_nothing(Gossips(), *case, {"region": 1}), records())
    assert "other reasons with others" in text


@pytest.mark.parametrize("broken", [SparesShortLimits, FallsDueTheSooner])
def test_longer_limits(broken: Any) -> None:
    """A policy that takes more, or sooner, when the limit is raised is caught."""
    longer = attrs.evolve(SOUND, no_deal="4mo")
    text = caught(lambda case: laws.longer_limit_never_reclaims_more(broken(), broken(longer), *case), records())
    assert "a longer limit" in text


@pytest.mark.parametrize("broken", [DigestOfTheNames, ReadsOtherNames])
def test_reading(broken: Any) -> None:
    """A digest that the host's names change is caught, and so are facts that they change."""
    with pytest.raises(AssertionError, match="reading changes"):
        laws.reading_keeps_digest(broken())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DigestOfTheObject(), DigestOfTheObject()),
        (EqualWhateverTheLimit(), EqualWhateverTheLimit(ReclaimPolicy(idle="1d"))),
    ],
)
def test_equal_policies(one: Any, other: Any) -> None:
    """Two equal policies of different digests are caught."""
    with pytest.raises(AssertionError, match="equal"):
        laws.equal_policies_equal_digest(one, other)
    laws.equal_policies_equal_digest(Wrapper(), Wrapper(ReclaimPolicy(idle="1d")))


@pytest.mark.parametrize(
    ("broken", "change"),
    [
        (DigestWithoutTheCalendar, {"calendar": attrs.evolve(OFFICE, week={"sun": ["22:00-06:00"]})}),
        (DigestWithoutTheLeads, {"remind_before": ["1h"]}),
    ],
)
def test_digests_that_forget(broken: Any, change: Any) -> None:
    """A digest that leaves out what decides is caught by two policies that differ in it."""
    other = broken(attrs.evolve(SOUND, **change))
    text = caught(lambda case: laws.equal_digests_equal_answers(broken(), other, *case), records())
    assert "one digest, two answers" in text


NOW = testing.times.EARLY
DECISION = SOUND.decide(
    {**dict.fromkeys(SOUND.reads), "status": "open", "owner": "u1", "grade": "A", "assigned_at": NOW}, now=NOW + DAY
)


class ShyDecision(type(DECISION)):
    """Loses its reasons when it is pickled."""

    def __getstate__(self) -> Any:
        return {**self.__dict__, "_evidence": SimpleNamespace(reasons=tuple)}


class OpaqueDecision(type(DECISION)):
    """Puts objects into its record."""

    def record(self) -> Any:
        return {**super().record(), "as_of": (str(self.as_of),)}


class ForgetfulDecision(type(DECISION)):
    """Another record each time."""

    def record(self) -> Any:
        return {"id": id(self)}


class MuteDecision(type(DECISION)):
    """Has nothing to say."""

    def explain(self, lang: Any = "en", *, zone: Any = None) -> str:  # noqa: ARG002 - the face's signature
        return ""


class TrueDecision(type(DECISION)):
    """Reads as a bool."""

    def __bool__(self) -> bool:
        return True


def remade(kind: Any) -> Any:
    return kind(**{field.name.lstrip("_"): getattr(DECISION, field.name) for field in attrs.fields(type(DECISION))})


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (OpaqueDecision, "not plain JSON"),
        (ForgetfulDecision, "has another record"),
        (MuteDecision, "explains itself otherwise"),
        (TrueDecision, "truth value"),
    ],
)
def test_decisions(kind: Any, says: Any) -> None:
    """A decision that does not go round is caught."""
    with pytest.raises(AssertionError, match=says):
        laws.decision_round_trips(remade(kind))
    laws.decision_round_trips(DECISION)


def test_decisions_that_lose_their_reasons() -> None:
    """A decision that pickles without its reasons is caught."""
    with pytest.raises((AssertionError, TypeError)):
        laws.decision_round_trips(remade(ShyDecision))


class ForgetsTheCap(PolicyBook):
    def to_toml(self, *, pin: Any = False) -> Any:
        return super().to_toml(pin=pin).replace("default = 7", "default = 8")


class PinsNoHolidays(PolicyBook):
    def to_toml(self, *, pin: Any = False) -> Any:
        return super().to_toml(pin=pin).replace("2026-05-01", "2026-05-02" if pin else "2026-05-01")


class PicklesBadly(PolicyBook):
    def __getstate__(self) -> Any:
        return {**super().__getstate__(), "zone": "UTC"}


BOOK = """
schema = 1
zone = "Asia/Shanghai"
[ownership.reclaim]
idle = "5wd"
[ownership.cap]
default = 7
[calendars.office]
week = { mon = ["09:00-18:00"] }
closed = ["2026-05-01"]
"""


@pytest.mark.parametrize(
    ("kind", "says"),
    [(ForgetsTheCap, "read again"), (PinsNoHolidays, "pinned"), (PicklesBadly, "pickled")],
)
def test_books(kind: Any, says: Any) -> None:
    """A book that is another when it is read again is caught."""
    with pytest.raises(AssertionError, match=says):
        laws.book_round_trips(kind.loads(BOOK))
    laws.book_round_trips(PolicyBook.loads(BOOK))


class Slipping:
    """A span that moves some instants too far."""

    def __init__(self, **wrong: Any) -> None:
        self.bound = Span("1mo").on("UTC")
        self.wrong = wrong

    def __getattr__(self, name: Any) -> Any:
        return lambda t: getattr(self.bound, name)(t) + self.wrong.get(name, lambda _: DAY * 0)(t)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"add": lambda t: DAY * 3 * (t.day < 28)}, "add decreases|not the greatest"),
        ({"cutoff": lambda _: MICROSECOND}, "not the greatest t"),
        ({"sub": lambda _: -MICROSECOND}, "not the least t"),
    ],
)
def test_spans(wrong: Any, says: Any) -> None:
    """A span that is not monotone, or whose cutoff or sub is a microsecond off, is caught."""
    span = Slipping(**wrong)

    def test(data: Any) -> None:
        t = data.draw(testing.instants(zone="UTC"))
        u = data.draw(testing.instants(near=[t, span.bound.add(t)], zone="UTC"))
        laws.span_is_monotone_and_adjoint(span, t, u)

    assert re.search(says, caught(test, st.data()))


class FullTooLate(CapPolicy):
    def full(self, owner: Any, held: Any) -> Any:
        return self.cap(owner) is not None and held > self.cap(owner)


class CountsOverFromOne(CapPolicy):
    def over_by(self, owner: Any, held: Any) -> Any:
        return max(held - self.cap(owner) + 1, 0)


class AssignsAnyway(CapPolicy):
    def decide(self, facts: Any, *, now: Any) -> Any:
        return attrs.evolve(super().decide(facts, now=now), outcome=Outcome.ASSIGN)


@pytest.mark.parametrize(
    ("kind", "says"),
    [(FullTooLate, "held >= cap"), (CountsOverFromOne, "over_by"), (AssignsAnyway, "decide says otherwise")],
)
def test_caps(kind: Any, says: Any) -> None:
    """A cap that is off by one, or not kept, is caught: by its law, and by the call that runs all."""
    assert says in caught(lambda held: laws.cap_is_monotone(kind(default=3), "u1", held, NOW), st.integers(0, 9))
    with pytest.raises(AssertionError, match=says):
        testing.check_cap_policy(kind(default=3))


@pytest.mark.parametrize(
    "broken",
    [IgnoresTheFreeze, GuessesKeep, DigestOfTheNames],
)
def test_one_call_catches_them(broken: Any) -> None:
    """`check_reclaim_policy` is enough to find them."""
    with pytest.raises(AssertionError):
        testing.check_reclaim_policy(broken(), 400)


def test_one_call_passes_what_is_sound() -> None:
    """A wrapper with the same face passes, and so does a book."""
    testing.check_reclaim_policy(Wrapper(), 40)
    testing.check_book(PolicyBook.loads(BOOK), 20)


def test_errors_are_broken_laws() -> None:
    """A policy that raises on legal facts is told so, with the facts."""

    class Raises(Wrapper):
        def decide(self, facts: Any, *, now: Any) -> Never:  # noqa: ARG002 - the face\'s signature
            msg = "boom"
            raise ZeroDivisionError(msg)

    with pytest.raises(AssertionError, match="decide raised ZeroDivisionError: boom"):
        laws.decision_is_deterministic(Raises(), {**dict.fromkeys(SOUND.reads), "status": "open"}, NOW)


def test_names_that_are_no_attributes() -> None:
    """Records under names that only a mapping can have."""
    policy = SOUND.reading(owner="sales agent", last_contact_at="最近联系")
    facts = {"status": "open", "sales agent": "u1", "最近联系": None, "assigned_at": NOW, "grade": "A"}
    facts |= dict.fromkeys(("frozen_until", "contract_until", "appointment_at"))
    laws.protected_is_never_reclaimed(policy, facts, NOW + DAY)
    with pytest.raises(KeyError):
        laws.protected_is_never_reclaimed(policy, {}, NOW)
