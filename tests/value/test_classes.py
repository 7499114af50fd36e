"""ABC analysis of objects (VAL-2, VAL-3, VAL-7 to VAL-9): published examples, borders, laws, parameters, real data."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from crmcore.errors import CurrencyMismatch, InvalidFact, InvalidPolicy
from crmcore.money import Money
from crmcore.testing.classing import check_abc_policy
from crmcore.value.classes import AbcPolicy, Classes, abc, abc_frame
from crmcore.value.presets import PRESETS, S1, S4

STRADDLES = ("upper", "lower", "nearest")


def labels(found: Classes) -> str:
    """The classes of the rows, in one word."""
    return "".join(row.class_ for row in found.rows)


# --- published examples ---


@pytest.mark.rule("VAL-9")
def test_the_examination_question_on_sales_by_product() -> None:
    """FE exam [S33]: 75 / 90 of 3,825; the first two products are A, with "lower" the first alone."""
    sales = dict(enumerate([2400, 600, 300, 220, 130, 50, 40, 40, 25, 20]))
    found = abc(sales, cuts=(75, 90))
    assert [round(float(row.cumulative or 0) * 100, 2) for row in found.rows[:4]] == [62.75, 78.43, 86.27, 92.03]
    assert labels(found) == "AABBCCCCCC"
    assert labels(abc(sales, cuts=(75, 90), straddle="lower")) == "ABBCCCCCCC"


def test_the_practice_question_on_a_straddling_item() -> None:
    """IT Passport [S32]: 70 / 90 of 800; the sixth item, from 77.5 to 86.25, is B under every rule."""
    sales = dict(enumerate([180, 140, 120, 100, 80, 70, 50, 40, 20]))
    for straddle in STRADDLES:
        sixth = abc(sales, cuts=(70, 90), straddle=straddle).rows[5]
        assert (round(float(sixth.cumulative or 0) * 100, 2), sixth.class_) == (86.25, "B")


def test_rows_and_summary_never_disagree() -> None:
    """Others label 6,000 (to 91 %) B and count it C: here 69,000 / 22,000 / 9,000 is what the rows add up to."""
    found = abc(dict(enumerate([27_000, 24_000, 18_000, 16_000, 6_000, 5_000, 4_000])), cuts=(70, 90))
    assert labels(found) == "AAAABCC"
    for label, share in found.classes.items():
        rows = [row.value for row in found.rows if row.class_ == label]
        assert (share.customers, share.value) == (len(rows), sum(rows))


def test_the_published_classes_of_that_example_under_lower() -> None:
    """There the fourth item (69 to 85 %) begins B, and 6,000 ends at 91 %: C, in the row and in the sum."""
    found = abc(dict(enumerate([27_000, 24_000, 18_000, 16_000, 6_000, 5_000, 4_000])), cuts=(70, 90), straddle="lower")
    assert labels(found) == "AAABCCC"
    assert [share.value for share in found.classes.values()][:3] == [69_000, 16_000, 15_000]


@pytest.mark.rule("VAL-7")
@pytest.mark.parametrize(
    ("values", "expected", "degenerate"),
    [
        ([100], "A", "single"),
        ([100, 100], "AA", "equal"),
        ([100, 100, 100], "AAA", "equal"),
        ([1000, 1, 1], "ACC", None),
        ([0, 0], "ZZ", "empty"),
    ],
)
def test_few_or_equal_customers(values: list[int], expected: str, degenerate: str | None) -> None:
    """OCA says B; A, B; A, B, C; B, C, C; all A. Here equal values share a class, the greatest is A, zero is apart."""
    found = abc(dict(enumerate(values)), cuts=(80, 95))
    assert (labels(found), found.degenerate) == (expected, degenerate)


# --- borders ---


@pytest.mark.rule("VAL-2", "VAL-3", "VAL-8")
def test_the_two_presets() -> None:
    """75 / 95 is the default; 70 / 90 also says which customers are expected where."""
    even = {number: 10 - number // 10 for number in range(100)}
    assert (S1.cuts, S4.cuts, set(PRESETS)) == ((75, 95), (70, 90), {"s1", "s4"})
    assert abc(even).record() == abc(even, cuts="s1").record()
    expected = [share.expected_customers for share in abc(even, cuts="s4").classes.values()]
    assert expected == [Fraction(1, 10), Fraction(1, 5), Fraction(7, 10), None, None]
    assert [share.expected_value for share in abc(even).classes.values()][:3] == [
        Fraction(3, 4),
        Fraction(1, 5),
        Fraction(1, 20),
    ]


@pytest.mark.rule("VAL-9")
@pytest.mark.parametrize(
    ("values", "upper", "lower", "nearest"),
    [
        ([75, 20, 5], "ABC", "ABC", "ABC"),
        ([70, 15, 10, 5], "AABC", "ABBC", "ABBC"),
        ([60, 40, 5], "AAC", "ACC", "ABC"),
        ([90, 6, 4], "ABC", "BCC", "ABC"),
    ],
)
def test_who_crosses_a_cut(values: list[int], upper: str, lower: str, nearest: str) -> None:
    """Upper takes it in, lower leaves it out, nearest asks where its middle lies."""
    found = [labels(abc(dict(enumerate(values)), straddle=straddle)) for straddle in STRADDLES]
    assert found == [upper, lower, nearest]


def test_a_half_is_upper_when_nearest_is_asked() -> None:
    """60 to 90 of 100, cut at 75: the middle is on the cut."""
    values = {"a": 60, "b": 30, "c": 10}
    assert [labels(abc(values, cuts=(75,), straddle=straddle)) for straddle in STRADDLES] == ["AAB", "ABB", "AAB"]
    assert labels(abc({**values, "b": 31, "c": 9}, cuts=(75,), straddle="nearest")) == "ABB"


def test_the_best_class_may_be_empty() -> None:
    """One customer has 90 %: with "lower" it does not fit below the cut, and the answer says so."""
    found = abc({"a": 90, "b": 10}, straddle="lower")
    assert (labels(found), found.degenerate, found.scale.least) == ("BC", "first_empty", (None, 90))


@pytest.mark.rule("VAL-7")
def test_what_is_not_positive_is_outside_the_base() -> None:
    """In classes of their own, or in the lowest; the shares of customers add up to one, those of value to the base."""
    lines = [("a", "10.50"), ("b", 5), ("b", "-5"), ("c", "-1.25")]
    found = abc(lines)
    assert (found.total, found.net, labels(found)) == (Decimal("10.50"), Decimal("9.25"), "AZN")
    assert found.classes["N"].share_value == Fraction(-125, 1050)
    assert [row.cumulative for row in found.rows] == [1, None, None]
    lowest = abc(lines, nonpositive="lowest")
    assert (labels(lowest), list(lowest.classes)) == ("ACC", ["A", "B", "C"])


def test_nothing_at_all() -> None:
    """No customers, no shares, no error."""
    found = abc([])
    assert (found.total, found.net, found.rows, found.degenerate, found.gini) == (0, 0, (), "empty", None)
    assert {share.share_customers for share in found.classes.values()} == {None}


def test_gini() -> None:
    """0 where all are equal; of 1 and 3 it is a quarter."""
    assert abc({"a": 2, "b": 2}).gini == 0
    assert abc({"a": 1, "b": 3, "c": 0}).gini == Fraction(1, 4)


def test_keys_of_any_kind_have_an_order() -> None:
    """Ties go by type, then by key; what knows no order goes by its text."""
    keys: list[Any] = ["b", 10, "a", 9, 1j, 2j, date(2026, 1, 1)]
    found = [row.key for row in abc((key, 5) for key in keys).rows]
    assert found == [1j, 2j, date(2026, 1, 1), 9, 10, "a", "b"]
    assert found == [row.key for row in abc((key, 5) for key in reversed(keys)).rows]


def test_of_one_key() -> None:
    """By the key as it was given."""
    found = abc({7: 10, "b": 1})
    assert (found.of(7), found.of("b")) == ("A", "B")
    with pytest.raises(KeyError):
        found.of("7")


def test_the_scale_says_the_class_of_a_value() -> None:
    """Of values that were not there, too."""
    policy = AbcPolicy()
    values = {"a": 70, "b": 20, "c": 8, "d": 2}
    scale = policy.scale(values)
    assert (scale.least, scale) == ((20, 8), policy.classify(values).scale)
    assert [scale.of(value) for value in (99, 20, 19, 8, 7, 0, -1)] == ["A", "A", "B", "B", "C", "Z", "N"]
    assert AbcPolicy(nonpositive="lowest").scale(values).of(0) == "C"


def test_the_record_is_json() -> None:
    """With the names that the command line prints."""
    record = json.loads(json.dumps(abc([("a", "3.50"), (date(2026, 1, 1), 0)]).record()))
    assert list(record) == ["total", "net", "degenerate", "gini", "classes", "rows"]
    assert record["rows"] == [
        {"key": "a", "value": "3.50", "cumulative": 1.0, "class": "A"},
        {"key": "2026-01-01", "value": "0", "cumulative": None, "class": "Z"},
    ]
    share = {"customers": 1, "value": "3.50", "share_value": 1.0, "share_customers": 0.5}
    assert record["classes"]["A"] == {**share, "expected_value": 0.75, "expected_customers": None}


def test_money_is_taken_in_one_currency() -> None:
    """Two are an error."""
    assert abc({"a": Money("1.50", "EUR")}).total == Decimal("1.50")
    with pytest.raises(CurrencyMismatch):
        abc({"a": Money(1, "EUR"), "b": Money(1, "CNY")})


@pytest.mark.parametrize("values", [{None: 1}, {"a": 1.5}, {"a": "x"}])
def test_bad_values_are_refused(values: Any) -> None:
    """A customer without a name, a float, a text that is no number."""
    with pytest.raises(InvalidFact):
        abc(values)


# --- laws ---


@pytest.mark.rule("VAL-7", "VAL-9")
@pytest.mark.parametrize("straddle", STRADDLES)
@pytest.mark.parametrize(
    "parameters",
    [{}, {"cuts": "s4", "nonpositive": "lowest"}, {"cuts": (20, 40, 60, 80)}, {"ties": "stable"}],
)
def test_the_laws_hold(straddle: Any, parameters: dict[str, Any]) -> None:
    """Scaling, zeros, order, splitting, ties, monotony, the order of the straddles."""
    check_abc_policy(AbcPolicy(straddle=straddle, **parameters))


# --- the parameters ---


@pytest.mark.parametrize("cuts", [(75, 95), [0.75, 0.95], ("75", "0.95"), (Decimal("75.0"), 95.0), "s1"])
def test_a_cut_is_a_percentage_or_a_share(cuts: Any) -> None:
    """However it is written, the digest is the same; floats mean what they show."""
    policy = AbcPolicy(cuts=cuts)
    assert (policy.shares, policy.digest) == ((Fraction(3, 4), Fraction(19, 20)), AbcPolicy().digest)


@pytest.mark.parametrize(
    "parameters",
    [
        {"cuts": cuts}
        for cuts in ("s2", 75, (), (95, 75), (75, 75), (0,), (100,), (-1,), (True,), (None,), ("x",), (float("nan"),))
    ]
    + [
        {"cuts": ("33.3333333",)},
        {"cuts": tuple(range(1, 14))},
        {"labels": ("a", "b")},
        {"labels": ("a", "b", "b")},
        {"labels": ("a", "b", "")},
        {"labels": ("Z", "b", "c")},
        {"labels": ("a", "b", "N")},
        {"straddle": "middle"},
        {"nonpositive": "gone"},
    ],
    ids=str,
)
def test_bad_parameters_are_refused(parameters: dict[str, Any]) -> None:
    """Whatever is wrong, before anything is classed."""
    with pytest.raises(InvalidPolicy):
        AbcPolicy(**parameters)


def test_more_classes_than_letters_want_labels() -> None:
    """Thirteen have letters, A to M; fourteen have labels of their own."""
    assert AbcPolicy(cuts=range(1, 13)).letters[-1] == "M"
    named = AbcPolicy(cuts=range(1, 14), labels=[f"class {number}" for number in range(14)])
    assert abc({"a": 1}, cuts=range(1, 14), labels=named.labels).of("a") == "class 0"


def test_the_digest_tells_what_can_change_an_answer() -> None:
    """Each parameter, and the expectation of a preset; not the name."""
    policies = [
        AbcPolicy(),
        AbcPolicy(cuts="s4"),
        AbcPolicy(cuts=(70, 90)),
        AbcPolicy(straddle="lower"),
        AbcPolicy(nonpositive="lowest"),
        AbcPolicy(labels="XYW"),
    ]
    assert len({policy.digest for policy in policies}) == len(policies)
    assert (AbcPolicy(name="n").digest, AbcPolicy(name="n").ref.name) == (policies[0].digest, "n")
    assert abc({}).policy == policies[0].ref


# --- real data ---


def online_retail(data: Path) -> pd.DataFrame:
    """Lines with a customer, and their value."""
    lines = pd.read_csv(data / "online_retail/lines_2010_2011.csv.gz", dtype=str).dropna(subset=["CustomerID"])
    cents = lines["Quantity"].astype(int) * (lines["UnitPrice"].map(Decimal) * 1000).astype(int)
    return pd.DataFrame({"key": lines["CustomerID"], "units": cents, "places": 3})


def northwind(data: Path, key: str) -> pd.DataFrame:
    """Order lines net of discount, in hundredths of a cent."""
    lines = pd.read_csv(data / "northwind/order_details.csv", dtype=str)
    lines = lines.merge(pd.read_csv(data / "northwind/orders.csv", dtype=str), on="OrderID")
    value = [
        int(Decimal(price) * int(quantity) * (1 - Decimal(discount)) * 10_000)
        for price, quantity, discount in zip(lines["UnitPrice"], lines["Quantity"], lines["Discount"], strict=True)
    ]
    return pd.DataFrame({"key": lines[key], "units": value, "places": 4})


def cdnow(data: Path) -> pd.DataFrame:
    """Purchases, in cents."""
    lines = pd.read_csv(data / "cdnow/transactions.csv", dtype=str)
    cents = (lines["amount"].map(Decimal) * 100).astype(int)
    return pd.DataFrame({"key": lines["customer_id"], "units": cents, "places": 2})


def by_pandas(lines: pd.DataFrame, cuts: tuple[Any, Any], straddle: str, ties: str = "together") -> pd.DataFrame:
    """Written for this test: blocks of equal values, or each row a block, each cut in whole numbers."""
    total = lines.groupby("key")["units"].sum().rename("units").reset_index()
    total = total.sort_values(["units", "key"], ascending=[False, True], ignore_index=True)
    inside = total["units"].clip(lower=0)
    total["running"], base = inside.cumsum(), int(inside.sum())
    block = total["units"] if ties == "together" else total["key"]
    end = total.groupby(block)["running"].transform("max")
    start = end - inside.groupby(block).transform("sum")
    total["class"] = "C"
    for label, cut in (("B", cuts[1]), ("A", cuts[0])):
        hundredths = int(Decimal(cut) * 100)
        above = {
            "upper": start * 10_000 < base * hundredths,
            "lower": end * 10_000 <= base * hundredths,
            "nearest": (start + end) * 10_000 <= 2 * base * hundredths,
        }[straddle]
        total.loc[above, "class"] = label
    total.loc[total["units"] == 0, "class"] = "Z"
    total.loc[total["units"] < 0, "class"] = "N"
    total["cumulative"] = (total["running"] / base).where(total["units"] > 0)
    return total


@pytest.mark.rule("VAL-7", "VAL-9")
@pytest.mark.parametrize("ties", ["together", "stable"])
@pytest.mark.parametrize("straddle", STRADDLES)
def test_tied_values_of_cdnow_under_both_rules(shared_data: Path, straddle: Any, ties: Any) -> None:
    """Cuts through the many who bought one CD at the same price, by objects, by columns, and by pandas."""
    lines = cdnow(shared_data)
    cuts = ("97.7", "99.45")  # each within the customers of 15.36 and of 11.77
    theirs = by_pandas(lines, cuts, straddle, ties)
    values = [(key, Decimal(int(units)) / 100) for key, units in zip(lines["key"], lines["units"], strict=True)]
    said = abc(values, cuts=cuts, straddle=straddle, ties=ties)
    assert [(row.key, row.class_) for row in said.rows] == list(zip(theirs["key"], theirs["class"], strict=True))
    frame = pd.DataFrame({"customer": lines["key"], "amount": lines["units"] / 100})
    columns = abc_frame(frame, key="customer", value="amount", cuts=cuts, straddle=straddle, ties=ties)
    assert list(columns["class"]) == list(theirs["class"])
    parted = theirs.groupby("units")["class"].nunique().max()
    assert parted == (1 if ties == "together" else 2)


def test_stable_ties_go_by_key() -> None:
    """The first of the four who are equal is still in class A; input order has no say."""
    values = {"e": 10, "d": 10, "c": 10, "b": 10, "a": 60}
    assert [(row.key, row.class_) for row in abc(values, cuts=(75, 95), ties="stable").rows] == [
        ("a", "A"),
        ("b", "A"),
        ("c", "A"),
        ("d", "B"),
        ("e", "B"),
    ]
    assert {row.class_ for row in abc(values, cuts=(75, 95)).rows} == {"A"}


SQL = """
WITH t AS (SELECT key, sum(units) AS units FROM lines GROUP BY key),
b AS (SELECT units, sum(units * count(*)) OVER (ORDER BY units DESC) AS finish, units * count(*) AS block
      FROM t WHERE units > 0 GROUP BY units), s AS (SELECT sum(block) AS base FROM b)
SELECT key, CASE WHEN t.units = 0 THEN 'Z' WHEN t.units < 0 THEN 'N' WHEN {first} THEN 'A' WHEN {second} THEN 'B'
    ELSE 'C' END AS class
FROM t CROSS JOIN s LEFT JOIN b ON b.units = t.units
"""
ABOVE = {
    "upper": "(finish - block) * 100 < base * {}",
    "lower": "finish * 100 <= base * {}",
    "nearest": "(2 * finish - block) * 100 <= 2 * base * {}",
}


def by_sql(lines: pd.DataFrame, cuts: tuple[int, int], straddle: str) -> dict[str, str]:
    """The same in SQL."""
    first, second = (ABOVE[straddle].format(cut) for cut in cuts)
    with duckdb.connect() as session:
        session.register("lines", lines)
        return dict(session.sql(SQL.format(first=first, second=second)).fetchall())


@pytest.mark.parametrize("straddle", STRADDLES)
@pytest.mark.parametrize(("cuts", "name"), [((75, 95), "s1"), ((70, 90), "s4")])
@pytest.mark.parametrize("data", ["online_retail", "northwind customers", "northwind products", "cdnow"])
def test_real_data_agree_with_pandas_and_sql(
    shared_data: Path, data: str, cuts: tuple[int, int], name: str, straddle: Any
) -> None:
    """Objects and columns, class by class and share by share."""
    read = {
        "online_retail": online_retail,
        "northwind customers": lambda path: northwind(path, "CustomerID"),
        "northwind products": lambda path: northwind(path, "ProductID"),
        "cdnow": cdnow,
    }
    lines = read[data](shared_data)
    places = int(lines["places"].iloc[0])
    amounts = [Decimal(int(units)).scaleb(-places) for units in lines["units"]]
    found = abc(zip(lines["key"], amounts, strict=True), cuts=name, straddle=straddle)
    theirs = by_pandas(lines, cuts, straddle)
    assert [(row.key, row.class_) for row in found.rows] == list(zip(theirs["key"], theirs["class"], strict=True))
    ours = pd.Series([None if row.cumulative is None else float(row.cumulative) for row in found.rows], dtype=float)
    pd.testing.assert_series_equal(ours, theirs["cumulative"], check_names=False, rtol=1e-12)
    assert {row.key: row.class_ for row in found.rows} == by_sql(lines, cuts, straddle)
    frame = pd.DataFrame({"customer": lines["key"], "amount": lines["units"] / 10**places})
    columns = abc_frame(frame, key="customer", value="amount", cuts=name, straddle=straddle, places=places)
    assert list(columns["class"]) == list(theirs["class"])


def test_labels_of_what_is_outside_the_base_are_taken() -> None:
    """Said without a double negative."""
    with pytest.raises(InvalidPolicy, match=r"^labels: \('X', 'Z'\) is not free: Z is for what is outside the base$"):
        abc({"a": 1}, cuts=(50,), labels=("X", "Z"))
