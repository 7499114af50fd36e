"""A decision is a value that says everything."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from crmcore.calendars import OPEN_ENDED, Span
from crmcore.decisions import UNKNOWN, Decision, Outcome, PolicyRef, Reason, ReasonCode
from crmcore.decisions.decision import Given
from crmcore.money import Money
from decisions.cases import EVERYTHING, MOMENTS, POLICIES, records
from ownership.stories import at, prospect

NOW = at("2026-02-10")
DECISION = EVERYTHING.decide(prospect(), now=NOW)


def test_a_decision_has_no_truth_value() -> None:
    """`if policy.decide(…)` would always hold."""
    with pytest.raises(TypeError, match=r"^a Decision has no truth value; compare \.outcome$"):
        bool(DECISION)


def test_a_decision_does_not_change() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        DECISION.outcome = Outcome.KEEP  # type: ignore[misc]


def test_the_record_has_the_keys_that_the_design_names() -> None:
    record = DECISION.record()
    assert list(record) == [
        "schema",
        "as_of",
        "outcome",
        "step",
        "rule",
        "reasons",
        "missing",
        "provisional",
        "next_change_at",
        "policy",
    ]
    assert {tuple(reason) for reason in record["reasons"]} == {
        ("rule", "code", "holds", "fact", "observed", "limit", "due", "margin_seconds")
    }


def test_the_record_is_plain_json() -> None:
    record = DECISION.record()
    assert json.loads(json.dumps(record)) == record
    assert {key: value for key, value in record.items() if key != "reasons"} == {
        "schema": 1,
        "as_of": "2026-02-10T00:00:00+00:00",
        "outcome": "reclaim",
        "step": 0,
        "rule": "OWN-1",
        "missing": [],
        "provisional": False,
        "next_change_at": None,
        "policy": {"name": "north", "version": "3", "digest": EVERYTHING.digest},
    }
    assert record["reasons"][0] == {
        "rule": "OWN-1",
        "code": "idle",
        "holds": True,
        "fact": "assigned_at",
        "observed": "2026-01-01T00:00:00+00:00",
        "limit": "30d",
        "due": "2026-01-31T00:00:00+00:00",
        "margin_seconds": 864000.0,
    }


def test_the_record_may_be_in_another_zone() -> None:
    record = EVERYTHING.decide(prospect(), now=at("2026-01-05")).record(zone=ZoneInfo("Asia/Shanghai"))
    assert (record["as_of"], record["next_change_at"]) == ("2026-01-05T08:00:00+08:00", "2026-01-24T08:00:00+08:00")
    assert record["reasons"][0]["observed"] == "2026-01-01T08:00:00+08:00"


def test_an_instant_at_the_end_of_time_stays_in_utc() -> None:
    """In Shanghai it would lie in the year 10000."""
    decision = EVERYTHING.decide(prospect(frozen_until=OPEN_ENDED), now=NOW)
    (frozen,) = [reason for reason in decision.record(zone=ZoneInfo("Asia/Shanghai"))["reasons"] if reason["holds"]][1:]
    assert frozen["observed"] == "9999-12-31T23:59:59.999999+00:00"


@pytest.mark.parametrize(
    ("observed", "said"),
    [(Money("12.50", "CNY"), str(Money("12.50", "CNY"))), (7, 7), ("won", "won"), (None, None)],
)
def test_what_was_observed_is_written_plainly(observed: Any, said: Any) -> None:
    reason = Reason(rule="OWN-4", code=ReasonCode.CAP, holds=True, fact="held", observed=observed, margin=3)
    assert (reason.record()["observed"], reason.record()["margin_seconds"]) == (said, 3)


@pytest.mark.parametrize("again", [lambda d: pickle.loads(pickle.dumps(d)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("facts", [{}, {"contact_unknown": True}, {"status": "won"}])
def test_a_pickled_decision_keeps_its_reasons(again: Any, facts: dict[str, Any]) -> None:
    decision = EVERYTHING.decide(prospect(**facts), now=NOW)
    kept = again(decision)
    assert (kept, hash(kept), kept.record()) == (decision, hash(decision), decision.record())
    assert kept.reasons == EVERYTHING.decide(prospect(**facts), now=NOW).reasons
    assert kept.explain("zh") == decision.explain("zh")


def test_reasons_speak_of_the_values_read_at_the_decision() -> None:
    """Whatever becomes of the record afterwards."""
    facts = attrs.asdict(prospect())
    decision = EVERYTHING.decide(facts, now=NOW)
    before = decision.reasons
    facts.update(status="won", assigned_at=None)
    assert decision.reasons == before


def test_reasons_list_every_judged_rule_in_catalogue_order() -> None:
    decision = EVERYTHING.decide(prospect(), now=NOW)
    assert [(reason.rule, reason.code, reason.fact, reason.holds) for reason in decision.reasons] == [
        ("OWN-1", "idle", "assigned_at", True),
        ("OWN-2", "no_deal", "assigned_at", False),
        ("OWN-3", "frozen", "frozen_until", False),
        ("OWN-18", "protected", "contract_until", False),
        ("OWN-18", "appointment", "appointment_at", False),
        ("OWN-19", "min_hold", "assigned_at", False),
    ]


def test_a_reason_carries_the_values_it_was_judged_by() -> None:
    idle = EVERYTHING.decide(prospect(last_contact_at=at("2026-01-05")), now=NOW).reasons[0]
    assert idle == Reason(
        rule="OWN-1",
        code=ReasonCode.IDLE,
        holds=True,
        fact="last_contact_at",
        observed=at("2026-01-05"),
        limit=Span("30d"),
        due=at("2026-02-04"),
        margin=timedelta(days=6),
    )


def test_equal_answers_of_equal_policies_are_equal() -> None:
    """The zone in which a policy speaks is not part of the answer."""
    assert EVERYTHING.decide(prospect(), now=NOW) == DECISION
    assert EVERYTHING.decide(prospect(id="other"), now=NOW) == DECISION
    assert PolicyRef("a", "1", "d", "UTC") == PolicyRef("a", "1", "d", "Asia/Shanghai")


def test_unknown_is_one_value() -> None:
    assert (repr(UNKNOWN), pickle.loads(pickle.dumps(UNKNOWN)), copy.deepcopy(UNKNOWN)) == (
        "UNKNOWN",
        UNKNOWN,
        UNKNOWN,
    )


# --- the generated functions and the model ---


@pytest.mark.parametrize("now", MOMENTS, ids=str)
@pytest.mark.parametrize("policy", POLICIES, ids=range(len(POLICIES)))
def test_the_generated_code_says_what_the_model_says(policy: Any, now: datetime) -> None:
    """Decision, reasons and outcome, on objects and on mappings, whatever the record."""
    outcome, plain = policy.at(now), policy.sweep(now, now)
    for record in records():
        expected = policy._deadlines.decide(record, now)
        for source in (record, attrs.asdict(record)):
            decision = policy.decide(source, now=now)
            assert decision == expected
            assert decision.reasons == expected.reasons
            assert outcome(source) == expected.outcome
            assert plain(source) in {expected.outcome, None}


def test_every_answer_holds_until_the_next_change() -> None:
    for policy in POLICIES:
        for record in records():
            for now in MOMENTS:
                decision = policy.decide(record, now=now)
                change = decision.next_change_at
                assert change is None or change > now
                last = (change or OPEN_ENDED) - timedelta(microseconds=1)
                then = policy.decide(record, now=last)
                assert (then.outcome, then.step) == (decision.outcome, decision.step)


def test_a_plain_sweep_leaves_the_rest_to_be_decided() -> None:
    sweep = EVERYTHING.sweep(NOW, NOW)
    assert sweep(prospect()) is Outcome.RECLAIM
    assert sweep(prospect(contact_unknown=True)) is None
    assert sweep(object()) is None


def test_the_generated_code_can_be_looked_at() -> None:
    """A traceback shows its lines."""
    import inspect

    assert inspect.getsource(EVERYTHING.at(NOW)).startswith("def evaluate(f):\n  try:\n")


# --- words ---


def said(facts: dict[str, Any], now: str, lang: str = "en") -> list[str]:
    return EVERYTHING.decide(prospect(**facts), now=at(now)).explain(lang).splitlines()


def test_a_reclaim_in_english() -> None:
    assert said({}, "2026-03-01") == [
        "Reclaim (OWN-1), as of 2026-03-01 08:00",
        "  deadline 2026-01-31 08:00, 29 days ago",
        "  + OWN-1 idle since 2026-01-01 08:00 (assigned_at), limit 30 days: due 2026-01-31 08:00, 29 days ago",
        "  - OWN-2 no deal since 2026-01-01 08:00 (assigned_at), limit 90 days: due 2026-04-01 08:00, in 31 days",
        "  time alone changes nothing",
    ]


def test_a_reminder_in_chinese() -> None:
    lines = said({"appointment_at": at("2026-02-05")}, "2026-02-01", "zh")
    assert lines == [
        "提醒（第1次，OWN-1），截至2026-02-01 08:00",
        "  到期2026-02-05 08:00，还有4天",
        "  + OWN-1 自2026-01-01 08:00起闲置（assigned_at），期限30天：2026-01-31 08:00到期，已过1天",
        "  - OWN-2 自2026-01-01 08:00起未成交（assigned_at），期限90天：2026-04-01 08:00到期，还有59天",
        "  + OWN-18 2026-02-05 08:00的预约推迟到期",
        "  若无其他变化，结论至少维持到2026-02-04 08:00",
    ]


def test_a_protected_prospect_in_english() -> None:
    lines = said({"frozen_until": at("2026-05-01"), "contract_until": OPEN_ENDED}, "2026-03-01")
    assert lines[0] == "Keep, as of 2026-03-01 08:00"
    assert lines[3] == "  + OWN-3 frozen until 2026-05-01 08:00, and 3 days more: 2026-05-04 08:00"
    assert lines[4].startswith("  + OWN-18 protected by contract_until")
    assert lines[4].endswith("until further notice")


def test_what_is_not_known_in_both_languages() -> None:
    facts = {"contact_unknown": True, "contract_until": UNKNOWN}
    assert said(facts, "2026-02-10")[:3] == [
        "Needs data, as of 2026-02-10 08:00",
        "  not known, or too far in the future: last_contact_at, contract_until",
        "  ? OWN-1 not known: last_contact_at",
    ]
    assert said(facts, "2026-02-10", "zh")[1] == "  未知，或时间过于靠后：last_contact_at, contract_until"


@pytest.mark.parametrize(
    ("facts", "en", "zh"),
    [
        ({"status": "lost"}, "  + OWN-9 not open any more: status is lost", "  + OWN-9 已非潜在客户：status为lost"),
        ({"owner": None}, "no owner: in the pool or not assigned yet", "无负责人：在公海或尚未分配"),
    ],
)
def test_what_is_not_judged_says_why(facts: dict[str, Any], en: str, zh: str) -> None:
    assert (en in said(facts, "2026-02-10")[1], zh in said(facts, "2026-02-10", "zh")[1]) == (True, True)


def test_a_fact_too_far_ahead_is_named() -> None:
    facts = {"last_contact_at": at("2026-03-05")}
    assert said(facts, "2026-02-10")[1] == "  too far in the future, ignored: last_contact_at"


def test_clock_times_are_the_policys_unless_another_zone_is_given() -> None:
    assert "as of 2026-02-10 00:00\n" in DECISION.explain(zone=UTC)
    assert "as of 2026-02-10 01:00\n" in DECISION.explain("en", zone=ZoneInfo("Europe/Berlin"))


def test_seconds_are_said_only_where_there_are_any() -> None:
    moved = EVERYTHING.decide(prospect(assigned_at=at("2026-01-01 00:00:30")), now=NOW)
    assert "idle since 2026-01-01 08:00:30" in moved.explain()


@pytest.mark.parametrize(
    ("margin", "en", "zh"),
    [
        (timedelta(days=-2, hours=-5), "in 2 days", "还有2天"),
        (timedelta(days=-1), "in 1 day", "还有1天"),
        (timedelta(hours=-23), "in 23 hours", "还有23小时"),
        (timedelta(minutes=-1), "in 1 minute", "还有1分钟"),
        (timedelta(), "now", "此刻"),
        (timedelta(minutes=1), "1 minute ago", "已过1分钟"),
        (timedelta(minutes=59), "59 minutes ago", "已过59分钟"),
    ],
)
def test_a_margin_is_said_in_its_largest_unit(margin: timedelta, en: str, zh: str) -> None:
    from crmcore.decisions.render import duration_text

    assert (duration_text(margin), duration_text(margin, "zh")) == (en, zh)


@pytest.mark.parametrize("unit", ["min", "h", "d", "w", "mo", "wd", "wh", "wmin"])
def test_every_unit_has_its_words(unit: str) -> None:
    from crmcore.decisions.render import span_text

    assert span_text(Span(f"1{unit}")) + "s" == span_text(Span(f"2{unit}")).replace("2", "1")
    assert span_text(Span(f"2{unit}"), "zh").startswith("2")


def test_the_languages_say_the_same_things() -> None:
    from crmcore.decisions.words import UNITS, WORDS

    assert WORDS["en"].keys() == WORDS["zh"].keys()
    assert UNITS["en"].keys() == UNITS["zh"].keys()


def test_a_language_that_is_not_spoken_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^lang is 'fr'; expected one of en, zh$"):
        DECISION.explain("fr")


def test_an_instant_near_the_end_of_time_is_said_in_utc() -> None:
    from crmcore.decisions.render import clock_text

    near = datetime(9999, 12, 31, 20, 0, tzinfo=UTC)
    assert clock_text(near, ZoneInfo("Asia/Shanghai")) == "9999-12-31 20:00"


def test_in_a_notebook_it_is_a_table_of_every_condition() -> None:
    lines = EVERYTHING.decide(prospect(), now=at("2026-03-01"))._repr_markdown_().splitlines()
    assert lines[:5] == [
        "**Reclaim (OWN-1), as of 2026-03-01 08:00**",
        "",
        "| Rule | Condition | Holds |",
        "|---|---|---|",
        "| OWN-1 | idle since 2026-01-01 08:00 (assigned_at), limit 30 days: due 2026-01-31 08:00, 29 days ago | yes |",
    ]
    assert "| OWN-3 | frozen_until: – | no |" in lines
    assert lines[-1].endswith("time alone changes nothing")


def test_an_open_condition_is_open_in_the_table() -> None:
    from crmcore.decisions.render import markdown

    decision = EVERYTHING.decide(prospect(contact_unknown=True), now=NOW)
    assert "| OWN-1 | not known: last_contact_at | open |" in markdown(decision)
    assert "| OWN-1 | 未知：last_contact_at | 未知 |" in markdown(decision, "zh", UTC)


def test_a_policy_zone_that_is_an_offset_speaks_utc() -> None:
    ref = PolicyRef("a", "1", "d", "UTC+08:00")
    reason = Reason(rule="OWN-1", code=ReasonCode.IDLE, holds=None, fact="x", known_through=date(2026, 1, 1))
    decision = Decision(Outcome.KEEP, 0, None, NOW, None, None, (), True, ref, Given((reason,)))
    assert decision.explain().splitlines() == [
        "Keep, as of 2026-02-10 00:00",
        "  ? OWN-1 not known: x",
        "  provisional: the calendar is known through 2026-01-01 only",
        "  time alone changes nothing",
    ]
