"""
The rules of the catalogue that this release decides by: their IDs, titles and sources.

A rule keeps its ID for life; code, reasons, docs and tests name it. The sources are S0 to S4 of the catalogue;
*reading* marks what a source leaves open and the library decides.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from attrs import frozen

from crmcore.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RULES", "Rule", "rule"]


@frozen
class Rule:
    """One rule of the catalogue; `source` says where it stands."""

    id: str
    title_en: str
    title_zh: str
    source: str

    def title(self, lang: str = "en") -> str:
        """Its title in English, or in Chinese for ``zh``."""
        return self.title_zh if lang == "zh" else self.title_en


_ALL: Final = (
    Rule("VAL-1", "Value tier", "客户价值分级", "S0 §4.2"),
    Rule("VAL-2", "ABC by cumulative sales", "按累计销售额的ABC分析", "S1 §3"),
    Rule("VAL-3", "ABC by turnover and head count", "按销售额与客户数的ABC分析", "S4 §2.2"),
    Rule("VAL-4", "Key accounts", "大客户", "S1 §2"),
    Rule("VAL-5", "Key-account department", "大客户管理部", "S1 §2"),
    Rule("VAL-6", "Treatment by tier", "按价值分级的服务方案", "S0 §4.2, S1 §1, S4 §2.2"),
    Rule("VAL-7", "Ties, order, zero and negative sales", "同值同类、与顺序无关、零与负销售额另列", "reading"),
    Rule("VAL-8", "Two ABC scales by name", "两套ABC标准各有其名", "S1 §3, S4 §2.2"),
    Rule("VAL-9", "Who crosses a cut", "跨越分界的客户", "S1 §3"),
    Rule("VAL-10", "Key accounts by share, class A beside", "按占比选大客户，A类并列", "S1 §2, §3"),
    Rule("VAL-11", "Potential and price sensitivity", "增长潜力与价格敏感度", "S0 §4.2, S1 §3"),
    Rule("OWN-1", "Idle reclaim", "闲置回收", "S3 §2"),
    Rule("OWN-2", "No-deal reclaim", "未成交回收", "S3 §2"),
    Rule("OWN-3", "Freeze", "冻结", "S3 §2"),
    Rule("OWN-4", "Cap", "潜在客户上限", "S3 §2"),
    Rule("OWN-9", "A customer won is no prospect", "成交客户不再是潜在客户", "S3, reading"),
    Rule("OWN-10", "Full at the cap", "达到上限即满", "S3 §2"),
    Rule("OWN-12", "One owner at any time", "任何时候只有一名负责人", "S1 §1, S0 §4.2"),
    Rule("OWN-14", "Where the limits count from", "期限的起算点", "S3 §1–2"),
    Rule("OWN-15", "A freeze holds back both reclaims", "冻结期间两种回收均暂缓", "S3 §1–2, §4"),
    Rule("OWN-16", "Idle limits fit the contact rhythm", "闲置回收期限须与联络频率相称", "S3 §2 against S0 §5.1"),
    Rule("OWN-18", "Protection", "保护", "reading"),
    Rule("OWN-19", "Minimum hold and remaining time", "最短持有期与最短剩余期", "reading"),
    Rule("ANA-1", "Composition by channel", "客户构成分析", "S1 §3"),
    Rule("ANA-2", "Share of each customer", "客户销售额与占比", "S1 §3"),
    Rule("ANA-3", "Product mix", "产品销售构成", "S1 §3"),
    Rule("ANA-4", "Margin rate by product", "产品毛利率", "S1 §3"),
    Rule("ANA-5", "Turnover", "周转率", "S1 §3"),
    Rule("ANA-6", "Cross ratio", "交叉比率", "S1 §3"),
    Rule("ANA-7", "Contribution ratio", "贡献比率", "S1 §3"),
    Rule("ANA-8", "Which products to push", "重点促销的产品", "S1 §3"),
    Rule("ANA-9", "Metrics over a period", "期间指标", "S0 §8"),
    Rule("ANA-10", "Segment quality", "细分市场的有效性", "S4 §2.1"),
    Rule("ANA-11", "Sales history", "历年销售", "S3 §1, §3"),
    Rule("ANA-12", "Aims as figures", "以数字表示的目标", "S0 §2.1, S3 §1"),
    Rule("ANA-13", "Period against period", "期间对比", "S0 §8.2–8.3"),
    Rule("ANA-14", "Churn and lost", "流失", "S0 §8.1, S3 §3"),
    Rule("ANA-15", "Product suggestions", "产品推荐", "S0 §8.3"),
)

RULES: Final[Mapping[str, Rule]] = MappingProxyType({each.id: each for each in _ALL})
"""Every rule of this release by its ID, in catalogue order."""


def rule(id: str) -> Rule:
    """The rule of this ID; raises `InvalidInput` for one that this release does not know."""
    try:
        return RULES[id]
    except KeyError:
        msg = f"{id!r} is no rule of this release; known: {', '.join(RULES)}"
        raise InvalidInput(msg) from None
