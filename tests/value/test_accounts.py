"""Key accounts: who they are, what they carry, who looks after them (VAL-4, VAL-5, VAL-10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore.errors import InvalidFrame, InvalidPolicy
from crmcore.value.accounts import Care, KeyAccountPolicy, KeyAccounts
from crmcore.value.classes import AbcPolicy, abc

pytestmark = pytest.mark.rule("VAL-4")
KEYS = st.integers(1, 30).map("u{}".format)
VALUES = st.dictionaries(KEYS, st.sampled_from([-3, 0, 1, 2, 3, 5, 8, 100]), max_size=30)
TOPS = st.sampled_from(["20", "0.2", "1", "50", "99.9", "33.333333"])
BACKENDS = ("polars", "polars_lazy", "pandas", "pandas_arrow", "pyarrow", "duckdb")
Policy = Callable[..., KeyAccountPolicy]


# --- laws: each takes the policy, so that a broken one can be tried ---


def the_top_share_is_in_rounded_up(policy: Policy) -> None:
    @given(VALUES, TOPS)
    def law(values: dict[str, int], top: str) -> None:
        found = policy(top=top).pick(values)
        positive = sum(value > 0 for value in values.values())
        part = Fraction(top) / (1 if "0." in top else 100)
        assert found.customers == positive
        assert found.wanted - 1 < part * positive <= found.wanted <= found.count
        assert found.tied == found.count - found.wanted

    law()


def nobody_outside_is_greater_or_equal(policy: Policy) -> None:
    @given(VALUES, TOPS)
    def law(values: dict[str, int], top: str) -> None:
        found = policy(top=top).pick(values)
        inside = {row.key for row in found.accounts}
        least = min((values[key] for key in inside), default=1)
        assert least > 0
        assert all(value < least for key, value in values.items() if key not in inside and value > 0)

    law()


def the_share_is_of_the_positive_sales(policy: Policy) -> None:
    @given(VALUES)
    def law(values: dict[str, int]) -> None:
        found = policy().pick(values)
        base = sum(value for value in values.values() if value > 0)
        carried = sum(values[row.key] for row in found.accounts)
        assert found.value == carried
        assert found.share == (Fraction(carried, base) if base else None)

    law()


def customers_without_sales_change_nothing(policy: Policy) -> None:
    @given(VALUES, st.integers(1, 9))
    def law(values: dict[str, int], more: int) -> None:
        idle = {f"idle{number}": -number % 2 - 1 for number in range(more)}
        assert policy().pick({**values, **idle}) == policy().pick(values)

    law()


def from_the_limit_on_it_is_a_department(policy: Policy) -> None:
    @given(VALUES, st.integers(1, 6))
    def law(values: dict[str, int], limit: int) -> None:
        found = policy(department_from=limit).pick(values)
        assert found.recommendation == ("department" if found.count >= limit else "executives")

    law()


def class_a_is_reported_beside_it(policy: Policy) -> None:
    @given(VALUES, st.sampled_from(["share", "class_a"]))
    def law(values: dict[str, int], by: Any) -> None:
        found, classes = policy(by=by).pick(values), abc(values)
        in_a = [row for row in classes.rows if row.class_ == "A"]
        assert (found.class_a, found.class_a_share) == (len(in_a), classes.classes["A"].share_value)
        if by == "class_a":
            assert found.accounts == tuple(in_a)

    law()


LAWS = [
    the_top_share_is_in_rounded_up,
    nobody_outside_is_greater_or_equal,
    the_share_is_of_the_positive_sales,
    customers_without_sales_change_nothing,
    pytest.param(from_the_limit_on_it_is_a_department, marks=pytest.mark.rule("VAL-5")),
    pytest.param(class_a_is_reported_beside_it, marks=pytest.mark.rule("VAL-10")),
]


@pytest.mark.parametrize("law", LAWS)
def test_law(law: Callable[[Policy], None]) -> None:
    """What the name of the law says."""
    law(KeyAccountPolicy)


# --- each law bites ---


@attrs.frozen(kw_only=True, slots=False)
class RoundsDown(KeyAccountPolicy):
    """Rounds down."""

    def wanted(self, customers: int) -> int:
        return int(Fraction(self.top) * customers / 100)


@attrs.frozen(kw_only=True, slots=False)
class Untied(KeyAccountPolicy):
    """Leaves ties to the order of the keys."""

    def pick(self, values: Any) -> KeyAccounts:
        found = super().pick(values)
        return attrs.evolve(found, accounts=found.accounts[: found.wanted])


@attrs.frozen(kw_only=True, slots=False)
class OfAll(KeyAccountPolicy):
    """Counts every customer."""

    def pick(self, values: Any) -> KeyAccounts:
        return attrs.evolve(super().pick(values), customers=len(values))


@attrs.frozen(kw_only=True, slots=False)
class TwentyAndMore(KeyAccountPolicy):
    """Knows no other limit than one more."""

    def pick(self, values: Any) -> KeyAccounts:
        return attrs.evolve(super().pick(values), department_from=self.department_from + 1)


@attrs.frozen(kw_only=True, slots=False)
class AlwaysByShare(KeyAccountPolicy):
    """Never picks class A."""

    def pick(self, values: Any) -> KeyAccounts:
        return KeyAccountPolicy(by="share").pick(values)


@attrs.frozen(kw_only=True, slots=False)
class OfTheNet(KeyAccountPolicy):
    """Takes the share of the net sum of all."""

    def pick(self, values: Any) -> KeyAccounts:
        found, net = super().pick(values), sum(values.values())
        return attrs.evolve(found, share=Fraction(found.value) / net if net else None)


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        (the_top_share_is_in_rounded_up, RoundsDown),
        (nobody_outside_is_greater_or_equal, Untied),
        (the_share_is_of_the_positive_sales, OfTheNet),
        (customers_without_sales_change_nothing, OfAll),
        (from_the_limit_on_it_is_a_department, TwentyAndMore),
        (class_a_is_reported_beside_it, AlwaysByShare),
    ],
)
@pytest.mark.usefixtures("one_fault")
def test_the_law_bites(law: Callable[[Policy], None], broken: Policy) -> None:
    """A policy that breaks the law is caught by it."""
    with pytest.raises(AssertionError):
        law(broken)


# --- stories ---


@pytest.mark.rule("VAL-5")
def test_twenty_key_accounts_have_a_department() -> None:
    """A hundred customers make twenty, 95 nineteen."""
    hundred = {f"u{number}": 1000 - number for number in range(100)}
    found = KeyAccountPolicy().pick(hundred)
    assert (found.count, found.recommendation) == (20, Care.DEPARTMENT)
    fewer = dict(list(hundred.items())[:95])
    assert (KeyAccountPolicy().pick(fewer).count, KeyAccountPolicy().pick(fewer).recommendation) == (19, "executives")


@pytest.mark.rule("VAL-10")
def test_the_classes_given_say_what_class_a_is() -> None:
    """Cut at 70 and 90, class A has one customer, and may be picked instead."""
    values = {"u1": 70, "u2": 15, "u3": 10, "u4": 3, "u5": 1, "u6": 1}
    classes = AbcPolicy(cuts="s4").classify(values)
    found = KeyAccountPolicy().pick(classes)
    assert ([row.key for row in found.accounts], found.class_a, found.class_a_share) == (
        ["u1", "u2"],
        1,
        Fraction(7, 10),
    )
    assert [row.key for row in KeyAccountPolicy(by="class_a").pick(classes).accounts] == ["u1"]


def test_a_record_is_json() -> None:
    """With the reason for the recommendation, and class A beside it."""
    found = KeyAccountPolicy(department_from=2).pick({"u1": "2.50", "u2": "2.50", "u3": 0})
    assert json.loads(json.dumps(found.record())) == {
        "by": "share",
        "customers": 2,
        "wanted": 1,
        "tied": 1,
        "count": 2,
        "value": "5.00",
        "share": 1.0,
        "class_a": {"customers": 2, "share": 1.0},
        "recommendation": "department",
        "reason": {"rule": "VAL-5", "observed": 2, "limit": 2},
        "accounts": [
            {"key": "u1", "value": "2.50", "cumulative": 0.5, "class": "A"},
            {"key": "u2", "value": "2.50", "cumulative": 1.0, "class": "A"},
        ],
    }
    assert KeyAccountPolicy().pick({}).record()["share"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("top", 0),
        ("top", 100),
        ("top", "20%"),
        ("by", "sales"),
        ("department_from", 0),
        ("department_from", True),
        ("department_from", "20"),
    ],
)
def test_parameters_that_make_no_policy_are_refused(name: str, value: object) -> None:
    """And the message names them."""
    with pytest.raises(InvalidPolicy) as error:
        KeyAccountPolicy(**{name: value})
    assert error.value.key == name


def test_the_digest_tells_policies_apart() -> None:
    """0.2 and 20 are the same share; each parameter is in it."""
    same = KeyAccountPolicy(name="ours", version="2", top=Decimal("0.2"))
    others = [KeyAccountPolicy(top=10), KeyAccountPolicy(by="class_a"), KeyAccountPolicy(department_from=5)]
    assert (same.ref.name, same.ref.version, same.digest) == ("ours", "2", KeyAccountPolicy().digest)
    assert KeyAccountPolicy().ref.name == "value.key_accounts"
    assert len({policy.digest for policy in [same, *others, KeyAccountPolicy(abc=AbcPolicy(cuts="s4"))]}) == 5


# --- columns ---


def frame(backend: str, rows: list[tuple[str | None, float]]) -> Any:
    pl = pytest.importorskip("polars")
    made = pl.DataFrame(rows, schema={"buyer": pl.String, "net": pl.Float64}, orient="row")
    if backend.startswith("polars"):
        return made.lazy() if backend == "polars_lazy" else made
    if backend.startswith("pandas"):
        return made.to_pandas(use_pyarrow_extension_array=backend == "pandas_arrow")
    return made.to_arrow() if backend == "pyarrow" else pytest.importorskip("duckdb").from_arrow(made.to_arrow())


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=12)
@given(data=st.data())
def test_columns_pick_whom_objects_pick(backend: str, data: st.DataObject) -> None:
    """The same key accounts from a data frame of lines of any kind, which comes back as that kind."""
    import narwhals.stable.v2 as nw

    cents = data.draw(st.lists(st.tuples(KEYS, st.sampled_from([-100, 0, 1, 10, 29, 30, 2000]))))
    policy = KeyAccountPolicy(top=data.draw(TOPS), by=data.draw(st.sampled_from(["share", "class_a"])))
    df = frame(backend, [(key, value / 100) for key, value in cents])
    found = policy.frame(df, key="buyer", value="net", prefix="p_")
    assert type(found) is type(df)
    rows = nw.from_native(found).lazy().collect().rows(named=True)
    picked = policy.pick([(key, Decimal(value) / 100) for key, value in cents])
    assert {row["buyer"] for row in rows if row["p_key_account"]} == {row.key for row in picked.accounts}
    assert len(rows) == len({key for key, _ in cents})


@pytest.mark.parametrize("backend", BACKENDS)
def test_lines_that_cannot_be_used_are_refused(backend: str) -> None:
    """Without a buyer, and where the key is called as the answer is."""
    policy = KeyAccountPolicy()
    with pytest.raises(InvalidFrame, match="null in 1 rows"):
        policy.frame(frame(backend, [(None, 1.0)]), key="buyer", value="net")
    with pytest.raises(InvalidFrame, match="free for the answer"):
        policy.frame(frame(backend, []), key="key_account", value="net")


# --- real sales ---


def test_real_key_accounts_agree_with_sql(shared_data: Path) -> None:
    """A fifth of the customers of Online Retail, and what they carry, as a database counts it."""
    duckdb = pytest.importorskip("duckdb")
    source = f"read_csv('{shared_data / 'online_retail' / 'lines_2010_2011.csv.gz'}')"
    sold = f"SELECT CustomerID AS buyer, Quantity * round(UnitPrice * 100)::BIGINT AS pence FROM {source}"  # noqa: S608 - the path is ours
    wanted, carried, total = duckdb.sql(f"""
        WITH totals AS (SELECT buyer, sum(pence) AS pence FROM ({sold}) GROUP BY buyer HAVING sum(pence) > 0),
        placed AS (SELECT *, rank() OVER (ORDER BY pence DESC) AS place FROM totals),
        part AS (SELECT (count(*) + 4) // 5 AS wanted, sum(pence) AS total FROM totals)
        SELECT any_value(wanted), sum(pence) FILTER (place <= wanted), any_value(total) FROM placed, part
    """).fetchall()[0]  # noqa: S608 - the path is ours
    found = KeyAccountPolicy().pick(duckdb.sql(sold).fetchall())
    assert (found.wanted, found.value, found.share) == (wanted, carried, Fraction(int(carried), int(total)))
    assert found.recommendation is Care.DEPARTMENT
    columns = KeyAccountPolicy().frame(duckdb.sql(sold), key="buyer", value="pence")
    assert columns.filter("key_account").aggregate("count(*), sum(value)").fetchall() == [(found.count, carried)]
