"""The words of advice, English and Chinese: data, read by `advice`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crmcore.errors import InvalidPolicy

__all__ = ["WORDS", "words_of"]

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "head": "{advice}: {why} ({reasons})",
        "join": ", ",
        "advice.push": "Push",
        "advice.keep": "Keep",
        "advice.watch": "Watch",
        "advice.drop": "Drop",
        "advice.unknown": "No advice",
        "row.unsold": "stock, but no sales",
        "row.idle": "nothing was sold",
        "row.loss_leader": "sells fast, at a loss",
        "row.loss": "sells at a loss",
        "row.strong": "earns well and sells fast",
        "row.balanced": "margin and turnover together earn enough",
        "row.weak_on_plan": "earns little and sells slowly, but as planned",
        "row.weak": "earns little and sells slowly",
        "row.slow": "earns well, but sells too slowly",
        "row.thin": "sells fast, but earns too little",
        "row.unstocked": "earns well and ties up no stock",
        "row.unstocked_thin": "earns little, but ties up no stock",
        "row.otherwise": "too little is known",
        "fact.sales": "sales",
        "fact.stock": "average stock",
        "fact.margin_rate": "margin rate",
        "fact.turnover": "turnover",
        "fact.cross_ratio": "cross ratio",
        "fact.plan_met": "plan met",
        "level.high": "{fact} {observed}, at least {limit}",
        "level.low": "{fact} {observed}, below {limit}",
        "level.loss": "{fact} {observed}",
        "level.some": "{fact} {observed}",
        "level.none": "no {fact}",
        "level.met": "{fact} {observed}, at least {limit}",
        "level.unknown": "{fact} not known",
    },
    "zh": {
        "head": "{advice}：{why}（{reasons}）",
        "join": "，",
        "advice.push": "主推",
        "advice.keep": "保持",
        "advice.watch": "观察",
        "advice.drop": "淘汰",
        "advice.unknown": "无法建议",
        "row.unsold": "有库存而无销售",
        "row.idle": "没有销售",
        "row.loss_leader": "畅销但亏本",
        "row.loss": "亏本销售",
        "row.strong": "毛利高、周转快",
        "row.balanced": "毛利与周转合计足够",
        "row.weak_on_plan": "毛利低、周转慢，但完成计划",
        "row.weak": "毛利低、周转慢",
        "row.slow": "毛利高，但周转太慢",
        "row.thin": "周转快，但毛利太低",
        "row.unstocked": "毛利高，不占库存",
        "row.unstocked_thin": "毛利低，但不占库存",
        "row.otherwise": "数据不足",
        "fact.sales": "销售额",
        "fact.stock": "平均库存",
        "fact.margin_rate": "毛利率",
        "fact.turnover": "周转率",
        "fact.cross_ratio": "交叉比率",
        "fact.plan_met": "计划完成率",
        "level.high": "{fact}{observed}，不低于{limit}",
        "level.low": "{fact}{observed}，低于{limit}",
        "level.loss": "{fact}{observed}",
        "level.some": "{fact}{observed}",
        "level.none": "无{fact}",
        "level.met": "{fact}{observed}，不低于{limit}",
        "level.unknown": "{fact}不详",
    },
}


def words_of(lang: str) -> Mapping[str, str]:
    """The words of a language; raises `InvalidPolicy` for one that we do not speak."""
    try:
        return WORDS[lang]
    except KeyError:
        raise InvalidPolicy("lang", lang, f"one of {', '.join(WORDS)}") from None
