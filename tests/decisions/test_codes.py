"""The lists that hosts switch on are public and frozen: a change here is a breaking one."""

from __future__ import annotations

import json

from crmcore.decisions import FindingCode, Outcome, ReasonCode


def test_the_outcomes_are_frozen() -> None:
    assert [str(outcome) for outcome in Outcome] == [
        "keep",
        "remind",
        "reclaim",
        "needs_data",
        "assign",
        "unassigned",
        "high",
        "mid",
        "low",
    ]


def test_the_reason_codes_are_frozen() -> None:
    assert [str(code) for code in ReasonCode] == [
        "idle",
        "no_deal",
        "frozen",
        "protected",
        "appointment",
        "min_hold",
        "not_open",
        "no_owner",
        "cap",
        "owned",
        "exists",
        "changed",
        "orders",
        "amount",
        "referrals",
        "lifted",
    ]


def test_the_finding_codes_are_frozen() -> None:
    assert [str(code) for code in FindingCode] == [
        "nothing_judged",
        "lead_too_long",
        "hold_past_limit",
        "limit_below_rhythm",
        "zone_not_said",
        "calendar_not_said",
        "calendar_unused",
        "dead_row",
    ]


def test_a_code_compares_equal_to_its_text_and_is_its_text_in_json() -> None:
    assert Outcome.RECLAIM == "reclaim"
    assert json.dumps([Outcome.KEEP, ReasonCode.IDLE]) == '["keep", "idle"]'
    assert {"keep": 1}[Outcome.KEEP] == 1
