"""VAL-6: what is done for each tier, in both languages, with its source; class A and key accounts come first."""

from __future__ import annotations

import re
from itertools import product

import pytest

from crmcore.decisions import Outcome
from crmcore.errors import InvalidFact
from crmcore.value.treatment import CLASS_A, KEY_ACCOUNT, TREATMENT, Treatment, treatment
from crmcore.value.values import TIERS

EVERY = [measure for row in (*TREATMENT.values(), CLASS_A, KEY_ACCOUNT) for measure in row]


@pytest.mark.rule("VAL-6")
def test_there_is_something_to_do_for_every_tier_and_for_nothing_else() -> None:
    assert set(TREATMENT) == set(TIERS)
    assert all(treatment(tier) == TREATMENT[tier] for tier in TIERS)
    for outcome in set(Outcome) - set(TIERS):
        with pytest.raises(InvalidFact, match="high, mid, low"):
            treatment(outcome)


@pytest.mark.rule("VAL-6")
@pytest.mark.parametrize("measure", EVERY, ids=lambda measure: measure.code)
def test_each_measure_says_what_where_from_and_in_both_languages(measure: Treatment) -> None:
    assert re.fullmatch(r"[a-z_]+", measure.code)
    assert re.fullmatch(r"S[0-4] §[0-9.]+", measure.source)
    assert measure.text().isascii()
    assert re.search("[\u4e00-\u9fff]", measure.text("zh"))
    assert measure.record() == {
        "code": measure.code,
        "en": measure.text("en"),
        "zh": measure.text("zh"),
        "source": measure.source,
    }


def test_no_code_stands_twice() -> None:
    codes = [measure.code for measure in EVERY]
    assert len(set(codes)) == len(codes)


@pytest.mark.rule("VAL-6")
@pytest.mark.parametrize(("tier", "class_a", "key_account"), list(product(TIERS, (False, True), (False, True))))
def test_key_accounts_and_class_a_come_first_and_take_nothing_away(
    tier: Outcome, class_a: bool, key_account: bool
) -> None:
    first = KEY_ACCOUNT * key_account + CLASS_A * class_a
    assert treatment(tier, class_a=class_a, key_account=key_account) == first + treatment(tier)


@pytest.mark.rule("VAL-6")
def test_what_the_sources_say_of_a_high_tier() -> None:
    """S0: 要配备专门的销售团队或客户经理，提供一对一的个性化服务，定期回访，及时解决他们的问题和需求."""
    assert [measure.text("zh") for measure in treatment("high")] == [
        "配备专门的销售团队或客户经理",
        "提供一对一的个性化服务",
        "定期回访",
        "及时解决问题和需求",
    ]
