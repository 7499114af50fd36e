"""
`decide` held against a reference written from the text of DESIGN 2.2, 2.4 and 3 alone: plain, slow, no cleverness.

It knows spans (`add`, `sub`), and nothing of how decisions are computed: what is not known is tried out, value by
value; `next_change_at` is searched among all instants at which anything could change.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore import testing
from crmcore.calendars import EARLIEST, OPEN_ENDED, Span
from crmcore.decisions import UNKNOWN
from crmcore.ownership import Prospect, ReclaimPolicy

NONE_GIVEN = "a start that is none: no clock can be told"
PAST = ("assigned_at", "last_contact_at")


class Reference:
    """One policy, as its parameters read."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy
        self.idle = policy.idle if policy.idle is None or isinstance(policy.idle, Span) else dict(policy.idle)
        self.leads = list(policy.remind_before)

    def on(self, span: Any) -> Any:
        return span.on(self.policy.zone or "UTC", self.policy.calendar)

    # What is read.

    def facts(self, source: Any) -> Any:
        wanted = ["status", "owner", "frozen_until", *[f"{name}_until" for name in self.policy.protected_by]]
        wanted += ["grade"] * isinstance(self.idle, dict) + ["appointment_at"] * (self.policy.appointment is not None)
        wanted += ["assigned_at"] if self.idle or self.policy.no_deal or self.policy.min_hold else []
        wanted += ["last_contact_at"] if self.idle else []
        found = {name: getattr(source, name) for name in wanted}
        if self.idle and getattr(source, "contact_unknown", None):
            found["last_contact_at"] = UNKNOWN
        return {k: v.astimezone(UTC) if isinstance(v, datetime) and v != OPEN_ENDED else v for k, v in found.items()}

    def visible(self, facts: Any, now: Any) -> Any:
        """A fact beyond the tolerance is ignored, as if there were none."""
        horizon = self.on(self.policy.future_tolerance).add(now)
        late = [f for f in PAST if isinstance(facts.get(f), datetime) and facts[f] > horizon]
        return {**facts, **dict.fromkeys(late)}

    # Known facts: rule by rule.

    def limits(self, facts: Any) -> Any:
        """(rule, its span, its start) of each limit that is judged."""
        if self.idle is not None:
            span = self.idle if isinstance(self.idle, Span) else self.idle.get(facts["grade"], self.idle.get("default"))
            starts = [at for at in (facts["assigned_at"], facts["last_contact_at"]) if at is not None]
            yield "OWN-1", span, max(starts)
        if self.policy.no_deal is not None:
            yield "OWN-2", self.policy.no_deal, facts["assigned_at"]

    def due(self, facts: Any, shorter_than: Any = None) -> Any:
        """The deadline, of all limits or of those that a lead of that length is shorter than; and the dues by rule."""
        limits = list(self.limits(facts))
        if shorter_than is not None:
            limits = [limit for limit in limits if shorter_than < limit[1].nominal]
        dues = {rule: self.on(span).add(start) for rule, span, start in limits}
        ends = []
        for name, until in facts.items():
            if name.endswith("_until") and until is not None:
                remains = self.policy.min_remaining
                ends.append(until if remains is None or until == OPEN_ENDED else self.on(remains).add(until))
        if self.policy.min_hold is not None and facts["assigned_at"] is not None:
            ends.append(self.on(self.policy.min_hold).add(facts["assigned_at"]))
        deadline = max(min(dues.values(), default=OPEN_ENDED), *ends, EARLIEST)
        at = facts.get("appointment_at")
        if at is not None and deadline < at <= self.on(self.policy.appointment).add(deadline):
            deadline = at
        return deadline, dues

    def known(self, facts: Any, now: Any) -> Any:
        """(outcome, step, rules that hold) where every fact is known."""
        if facts["status"] != "open" or facts["owner"] is None:
            return "keep", 0, ()
        deadline, dues = self.due(facts)
        if deadline <= now < OPEN_ENDED:
            return "reclaim", 0, tuple(rule for rule, at in dues.items() if at <= now)
        begun = []
        for lead in self.leads:
            soon, (own, dues) = self.on(lead).add(now), self.due(facts, lead.nominal)
            if own <= soon and own < OPEN_ENDED:
                begun.append((soon, tuple(rule for rule, at in dues.items() if at <= soon)))
        return ("remind", len(begun), min(begun)[1]) if begun else ("keep", 0, ())

    # Facts that are not known: whatever they may be.

    def possible(self, facts: Any, now: Any) -> Any:
        """Every value of every unknown fact that may matter."""
        far = OPEN_ENDED - timedelta(days=1)
        starts = [at for name in PAST if isinstance(at := facts.get(name), datetime)]
        choices = {name: [value] for name, value in facts.items()}
        for name, value in facts.items():
            if name == "status" and value is UNKNOWN:
                choices[name] = ["open", "won"]
            elif name == "owner" and value is UNKNOWN:
                choices[name] = ["u1", None]
            elif name in PAST and value is UNKNOWN:
                choices[name] = [EARLIEST, now, far, *starts]
            elif name.endswith("_until") and value is UNKNOWN:
                choices[name] = [None, OPEN_ENDED, now]
            elif name == "grade" and (value is UNKNOWN or (value not in self.idle and "default" not in self.idle)):
                choices[name] = list(self.idle)
        assigned = facts.get("assigned_at", UNKNOWN)
        if assigned is None and self.policy.no_deal is not None:
            choices["no-deal start"] = [EARLIEST, now, far]
        if assigned is None and self.idle is not None and facts["last_contact_at"] is None:
            choices["idle start"] = [EARLIEST, now, far]
        for values in product(*choices.values()):
            yield dict(zip(choices, values, strict=True))

    def cases(self, facts: Any, now: Any) -> Any:
        """Complete cases: appointments too, which matter only beside the deadline of the case."""
        for case in self.possible(facts, now):
            if facts.get("appointment_at") is not UNKNOWN:
                yield case
                continue
            none = {**case, "appointment_at": None}
            yield none
            deadline = Started(self).due(none)[0]
            if deadline < OPEN_ENDED:
                yield {**case, "appointment_at": self.on(self.policy.appointment).add(deadline)}

    def answer(self, facts: Any, now: Any) -> Any:
        """(outcome, step, rule) at `now`."""
        seen = self.visible(facts, now)
        if seen["owner"] is None or seen["status"] not in ("open", UNKNOWN):
            return "keep", 0, None
        found = [Started(self).known(case, now) for case in self.cases(seen, now)]
        if len({(outcome, step) for outcome, step, _ in found}) > 1:
            return "needs_data", 0, None
        outcome, step, rules = found[0]
        common = [rule for rule in ("OWN-1", "OWN-2") if all(rule in held for *_, held in found)]
        return outcome, step, common[0] if common else (rules or (None,))[0] if len(found) == 1 else ...

    # The next change: look everywhere.

    def next_change(self, facts: Any, now: Any) -> Any:
        if facts["owner"] is None or facts["status"] not in ("open", UNKNOWN):
            return None
        now_answer = self.answer(facts, now)[:2]
        tolerance = self.on(self.policy.future_tolerance)
        horizon = tolerance.add(now)
        late = [at for name in PAST if isinstance(at := facts.get(name), datetime) and at > now]
        bounds = {tolerance.sub(at) if at > horizon else at for at in late}
        instants = set(bounds)
        for case in self.cases(self.visible(facts, now), now):
            deadlines = [Started(self).due(case)[0]]
            deadlines += [Started(self).due(case, lead.nominal)[0] for lead in self.leads]
            instants |= {*deadlines, *(self.on(lead).sub(at) for lead in self.leads for at in deadlines)}
        for at in sorted(instants):
            if now < at < OPEN_ENDED - timedelta(days=40_000) and (
                at in bounds or self.answer(facts, at)[:2] != now_answer
            ):
                return at
        return None


class Started(Reference):
    """The same of a case in which starts that are none have been made up, each limit its own."""

    def __init__(self, reference: Any) -> None:
        self.__dict__.update(reference.__dict__)

    def limits(self, facts: Any) -> Any:
        plain = {k: v for k, v in facts.items() if k not in ("idle start", "no-deal start")}
        if "idle start" in facts:
            plain["last_contact_at"] = facts["idle start"]
        for rule, span, start in super().limits(plain):
            yield rule, span, facts["no-deal start"] if rule == "OWN-2" and start is None else start


def check(policy: Any, facts: Any, now: Any) -> Any:
    reference, decision = Reference(policy), policy.decide(facts, now=now)
    values = reference.facts(facts)
    outcome, step, rule = reference.answer(values, now)
    assert (decision.outcome.value, decision.step) == (outcome, step)
    assert rule is ... or decision.rule == rule
    assert decision.next_change_at == reference.next_change(values, now)
    return outcome, step


@settings(max_examples=7 * settings.default.max_examples)
@given(testing.policies_and_prospects(unknown=False))
@pytest.mark.rule("OWN-1", "OWN-2", "OWN-3", "OWN-9", "OWN-14", "OWN-15", "OWN-18", "OWN-19")
def test_known_facts(case: Any) -> None:
    """Of facts that are known, on the borders of the policy."""
    check(*case)


@settings(max_examples=7 * settings.default.max_examples)
@given(testing.policies_and_prospects())
def test_unknown_facts(case: Any) -> None:
    """Of facts some of which are not known."""
    check(*case)


@settings(max_examples=settings.default.max_examples // 4)
@given(st.data(), testing.reclaim_policies())
def test_many_records_of_a_policy(data: Any, policy: Any) -> None:
    """Fifteen records of one policy, at one instant: the loop and the reference say the same."""
    now = data.draw(testing.moments(policy))
    evaluate, reference = policy.at(now), Reference(policy)
    for _ in range(15):
        facts = data.draw(testing.prospects(policy, now))
        assert evaluate(facts).value == reference.answer(reference.facts(facts), now)[0] == check(policy, facts, now)[0]


def test_the_reference_by_hand() -> None:
    """What DESIGN 3 says of unknown contacts, word by word."""
    policy = ReclaimPolicy(idle="10d", no_deal="30d", remind_before=["1d"])
    assigned = datetime(2026, 3, 1, tzinfo=UTC)
    said = Counter()
    for days, expected in ((5, "keep"), (12, "needs_data"), (30, "reclaim")):
        facts = Prospect(id=1, owner="u1", assigned_at=assigned, contact_unknown=True)
        said[check(policy, facts, assigned + timedelta(days=days))[0] == expected] += 1
    assert said == {True: 3}
