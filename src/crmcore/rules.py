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
