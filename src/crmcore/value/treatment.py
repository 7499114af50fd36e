"""
What is done for a customer of each tier (VAL-6), as the sources say it; data, and one way to look it up.

>>> from crmcore.value.treatment import treatment
>>> [measure.code for measure in treatment("mid")]
['closer_follow_up', 'own_offers', 'trade_news', 'lead_to_high']
>>> [measure.text("zh") for measure in treatment("low", class_a=True)][:2]
['重点跟踪', '加强联络']
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import attrs

from crmcore.decisions.codes import Outcome
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidFact

__all__ = ["CLASS_A", "KEY_ACCOUNT", "TREATMENT", "Treatment", "treatment"]


@attrs.frozen
class Treatment:
    """One thing to do for a customer: a code that stays, words for it, and where it stands in the sources."""

    code: str
    en: str
    zh: str
    source: str

    def text(self, lang: Literal["en", "zh"] = "en") -> str:
        """It in words: English, or Chinese for ``zh``."""
        return self.zh if lang == "zh" else self.en

    def record(self) -> dict[str, str]:
        """As JSON-able data."""
        return attrs.asdict(self)


TREATMENT: Final[Mapping[Outcome, tuple[Treatment, ...]]] = FrozenMap(
    {
        Outcome.HIGH: (
            Treatment(
                "account_manager", "A dedicated team or account manager", "配备专门的销售团队或客户经理", "S0 §4.2"
            ),
            Treatment("one_to_one", "Service one to one, made for the customer", "提供一对一的个性化服务", "S0 §4.2"),
            Treatment("revisits", "Regular revisits", "定期回访", "S0 §4.2"),
            Treatment("solve_at_once", "Problems and needs are met at once", "及时解决问题和需求", "S0 §4.2"),
        ),
        Outcome.MID: (
            Treatment("closer_follow_up", "Closer follow-up", "加强跟进和沟通", "S0 §4.2"),
            Treatment("own_offers", "Value added: offers of its own", "增值服务：专属优惠活动", "S0 §4.2"),
            Treatment("trade_news", "Value added: news of the trade", "增值服务：行业资讯分享", "S0 §4.2"),
            Treatment("lead_to_high", "Led up to high value", "逐步引导其向高价值客户转化", "S0 §4.2"),
        ),
        Outcome.LOW: (
            Treatment("standard_packages", "Standard products and packages", "提供标准化的产品或服务套餐", "S0 §4.2"),
            Treatment("watch_needs", "Watched for a change of need", "关注需求变化", "S0 §4.2"),
            Treatment("convert", "Led up when there is an occasion", "寻找合适的机会进行转化", "S0 §4.2"),
        ),
    }
)
"""The service plan of each tier."""

CLASS_A: Final = (
    Treatment("track_first", "Tracked first", "重点跟踪", "S4 §2.2"),
    Treatment("contact_more", "Contacted more", "加强联络", "S4 §2.2"),
)
"""What class A by sales gets before all else, whatever its tier; the copy of S4 at hand breaks off after this."""

KEY_ACCOUNT: Final = (
    Treatment("resources_first", "Considered first, with resources enough", "优先考虑，配置足够的资源", "S1 §1"),
)
"""What a key account gets before all else."""


def treatment(tier: str, *, class_a: bool = False, key_account: bool = False) -> tuple[Treatment, ...]:
    """
    What to do for a customer of this tier, first things first; there is something for high, mid and low.

    Raises `InvalidFact` for another outcome, such as needs_data.
    """
    if tier not in TREATMENT:
        raise InvalidFact("tier", str(tier), f"one of {', '.join(TREATMENT)}")
    return (*(KEY_ACCOUNT if key_account else ()), *(CLASS_A if class_a else ()), *TREATMENT[Outcome(tier)])
