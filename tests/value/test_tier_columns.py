"""VAL-1 as columns: what `decide` and `activity` say, on every kind of frame."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crmcore.errors import InvalidFact, InvalidFrame
from crmcore.value.policy import ValuePolicy
from crmcore.value.values import TierRow

nw = pytest.importorskip("narwhals.stable.v2")
pl = pytest.importorskip("polars")
duckdb = pytest.importorskip("duckdb")

NOW = datetime(2026, 3, 31, 4, tzinfo=UTC)
DAY = timedelta(days=1)
CENT = Decimal("0.01")
POLICY = ValuePolicy(
    rows=[TierRow("high", orders=12, amount="50000"), TierRow("mid", orders=4, amount="10000")],
    referrals=3,
    zone="Asia/Shanghai",
)


def _duckdb(frame: Any) -> Any:
    """In a session whose zone is none of the policy's: it must not matter."""
    session = duckdb.connect()
    session.execute("SET TimeZone = 'America/St_Johns'")
    return session.from_arrow(frame.to_arrow())


KINDS: dict[str, Callable[[Any], Any]] = {
    "polars": lambda frame: frame,
    "polars-lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: frame.to_pandas(),
    "pandas-pyarrow": lambda frame: frame.to_pandas(use_pyarrow_extension_array=True),
    "pyarrow": lambda frame: frame.to_arrow(),
    "duckdb": _duckdb,
}
every_kind = pytest.mark.parametrize("kind", KINDS)
FEW = settings(max_examples=12, phases=(Phase.generate,), report_multiple_bugs=False)
ONE_FAULT = settings(phases=(Phase.generate,), report_multiple_bugs=False)


def rows_of(frame: Any) -> list[dict[str, Any]]:
    """The rows with plain values, instants in UTC."""
    return [
        {name: _plain(value) for name, value in row.items()}
        for row in nw.from_native(frame).lazy().collect().rows(named=True)
    ]


def _plain(value: Any) -> Any:
    if value is None or value != value:  # noqa: PLR0124 - so NaN and NaT tell themselves
        return None
    if isinstance(value, datetime):
        return getattr(value, "to_pydatetime", lambda: value)().astimezone(UTC)
    return value


# --- the tier ---

MINIMA = st.fixed_dictionaries(
    {},
    optional={
        "orders": st.integers(1, 5),
        "amount": st.sampled_from(["1", "2.50", "10", "0.005", "1234567890123.45"]).map(Decimal),
        "referrals": st.integers(1, 4),
    },
).filter(bool)
POLICIES = st.builds(
    ValuePolicy,
    rows=st.lists(
        st.builds(
            lambda tier, rule, minima: TierRow(tier, rule=rule, **minima),
            st.sampled_from(["high", "mid"]),
            st.sampled_from(["VAL-1", "MINE-2"]),
            MINIMA,
        ),
        max_size=3,
    ),
    referrals=st.none() | st.integers(1, 3),
    until=st.none() | st.just(NOW + DAY) | st.just(NOW - DAY),
)
CENTS = st.sampled_from([0, 99, 100, 101, 249, 250, 999, 1000, 1001, -5, 1, 123456789012344, 123456789012345])
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "orders": st.none() | st.integers(0, 6),
            "amount": st.none() | CENTS,
            "referrals": st.none() | st.integers(0, 5),
            "changes_at": st.none()
            | st.sampled_from([NOW - DAY, NOW, NOW + timedelta(microseconds=1), NOW + DAY, NOW + 9 * DAY]),
        }
    ),
    max_size=15,
)
COLUMNS = {"orders": pl.Int64, "amount": pl.Float64, "referrals": pl.Int32, "changes_at": pl.Datetime("us", "UTC")}


def framed(records: list[dict[str, Any]], amounts: str, *, changes: bool) -> Any:
    """Amounts as floats, as decimals, or whole; perhaps without the column of what changes."""
    made: dict[str, list[Any]] = {name: [record[name] for record in records] for name in COLUMNS}
    made["amount"] = [None if cents is None else cents * CENT for cents in made["amount"]]
    kinds: dict[str, Any] = {"float": pl.Float64, "decimal": pl.Decimal(20, 2), "whole": pl.Int64}
    if amounts == "whole":
        made["amount"] = [None if amount is None else int(amount) for amount in made["amount"]]
    if amounts == "float":
        made["amount"] = [None if amount is None else float(amount) for amount in made["amount"]]
    frame = pl.DataFrame(made, schema={**COLUMNS, "amount": kinds[amounts]})
    return frame if changes else frame.drop("changes_at")


def decided(policy: ValuePolicy, row: dict[str, Any]) -> tuple[Any, ...]:
    amount = row["amount"]
    exact = None if amount is None else Decimal(str(amount)).quantize(CENT)
    counts = {name: None if row[name] is None else int(row[name]) for name in ("orders", "referrals")}
    try:
        decision = policy.decide({**counts, "amount": exact, "changes_at": row.get("changes_at")}, now=NOW)
    except InvalidFact:
        return None, 0, None, None
    return decision.outcome.value, decision.step, decision.rule, decision.next_change_at


def law_of_columns(kind: str, make: type[ValuePolicy] = ValuePolicy, how: settings = FEW) -> None:
    @given(POLICIES, RECORDS, st.sampled_from(["float", "decimal", "whole"]), st.booleans())
    def law(policy: ValuePolicy, records: list[dict[str, Any]], amounts: str, changes: bool) -> None:
        ours = make(**{field.name: getattr(policy, field.name) for field in attrs.fields(ValuePolicy)})
        amounts = "float" if (kind, amounts) == ("pandas", "decimal") else amounts  # it has objects for decimals
        frame = framed(records, amounts, changes=changes)
        found = rows_of(ours.frame(KINDS[kind](frame), now=NOW, prefix="is_"))
        assert len(found) == len(records)
        for row in found:
            answer = tuple(row[f"is_{name}"] for name in ("outcome", "step", "rule", "next_change_at"))
            assert answer == decided(policy, row)

    how(law)()


@pytest.mark.rule("VAL-1")
@every_kind
def test_columns_say_what_decide_says(kind: str) -> None:
    law_of_columns(kind)


class Late(ValuePolicy):
    """Its columns are of a moment before."""

    def frame(self, df: Any, *, now: datetime, prefix: str = "", places: int = 2) -> Any:
        return super().frame(df, now=now - timedelta(microseconds=1), prefix=prefix, places=places)


class Rough(ValuePolicy):
    """Its columns round to whole amounts."""

    def frame(self, df: Any, *, now: datetime, prefix: str = "", places: int = 2) -> Any:  # noqa: ARG002 - that is it
        return super().frame(df, now=now, prefix=prefix, places=0)


@pytest.mark.parametrize("wrong", [Late, Rough])
def test_the_law_of_columns_bites(wrong: type[ValuePolicy]) -> None:
    with pytest.raises(AssertionError):
        law_of_columns("polars", wrong, settings(ONE_FAULT, max_examples=200))


def outcomes(frame: Any) -> list[Any]:
    return [row["outcome"] for row in rows_of(frame)]


@every_kind
def test_a_sum_of_floats_is_taken_to_the_nearest_cent(kind: str) -> None:
    """0.1 + 0.2 + … is 49999.99999999999 or 50000.00000000001 as it comes."""
    amounts = [49999.99999999999, 49999.995, 49999.994, 50000.000000001, float("nan"), float("inf"), None]
    frame = pl.DataFrame({"orders": [12] * 7, "amount": amounts, "referrals": [0] * 7})
    expected = ["high", "high", "mid", "high", "low", "low", "low"]
    assert outcomes(POLICY.frame(KINDS[kind](frame), now=NOW)) == expected


@every_kind
def test_counts_that_came_as_floats_are_counts(kind: str) -> None:
    """A left join in pandas makes floats of them."""
    frame = pl.DataFrame({"orders": [12.0, 4.0, None], "amount": [50000] * 3, "referrals": [None, 3.0, 3.0]})
    assert outcomes(POLICY.frame(KINDS[kind](frame), now=NOW)) == ["high", "high", "mid"]


@every_kind
def test_the_kind_of_frame_comes_back_and_what_is_lazy_stays_lazy(kind: str) -> None:
    given_frame = KINDS[kind](pl.DataFrame({"n": [1], "amount": [1.0], "referrals": [0], "z": ["x"]}))
    found = POLICY.reading(orders="n").frame(given_frame, now=NOW)
    assert type(found) is type(given_frame)
    assert list(rows_of(found)[0]) == ["n", "amount", "referrals", "z", "outcome", "step", "rule", "next_change_at"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"orders": None}, "column 'orders'"),
        ({"amount": ["1"]}, "column 'amount'"),
        ({"changes_at": [1]}, "column 'changes_at'"),
        ({"changes_at": [datetime(2026, 1, 1)]}, "column 'changes_at'"),
        ({"Outcome": [1]}, "columns"),
    ],
)
def test_a_frame_that_cannot_be_used(change: dict[str, Any], place: str) -> None:
    columns = {"orders": [1], "amount": [1.0], "referrals": [0], **change}
    frame = pl.DataFrame({name: values for name, values in columns.items() if values is not None})
    with pytest.raises(InvalidFrame) as caught:
        POLICY.frame(frame, now=NOW)
    assert caught.value.place == place


# --- the window ---

PLACES = ("UTC", "Asia/Shanghai", "Europe/London", "America/St_Johns")
WINDOWS = st.builds(
    ValuePolicy, window=st.sampled_from(["12mo", "1mo", "30d", "36h", "90min"]), zone=st.sampled_from(PLACES)
)
LINES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.timedeltas(-3 * DAY, 380 * DAY),
        st.integers(-300, 900),
        st.none() | st.sampled_from(["o1", "o2"]),
    ),
    min_size=1,
    max_size=15,
)


def law_of_the_window(kind: str, make: type[ValuePolicy] = ValuePolicy, how: settings = FEW) -> None:
    @given(WINDOWS, LINES, st.sampled_from(["instant", "date", "naive", "ns"]), st.booleans(), st.booleans())
    def law(policy: ValuePolicy, lines: list[Any], at: str, ordered: bool, whole: bool) -> None:
        if at == "ns" and not kind.startswith("pandas"):
            at = "instant"
        ours = make(window=policy.window, zone=policy.zone)
        moments = [NOW - back for _, back, _, _ in lines]
        days = [moment.date() for moment in moments]
        frame = pl.DataFrame(
            {
                "who": [who for who, *_ in lines],
                "at": pl.Series(moments if at in ("instant", "ns") else days),
                "net": [cents if whole else cents / 100 for _, _, cents, _ in lines],
                "order": pl.Series([order for *_, order in lines], dtype=pl.String),
            }
        )
        if at == "naive":
            frame = frame.with_columns(pl.col("at").cast(pl.Datetime("us")) + pl.duration(hours=7))
        if at == "ns":
            frame = frame.with_columns(pl.col("at").cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone("Asia/Tokyo"))
        sold = [
            {
                "customer": who,
                "at": moment if at in ("instant", "ns") else day,
                "amount": Decimal(cents) if whole else cents * CENT,
                "order": order if ordered else None,
            }
            for (who, _, cents, order), moment, day in zip(lines, moments, days, strict=True)
        ]
        names: dict[str, Any] = {"key": "who", "at": "at", "value": "net", "order": "order" if ordered else None}
        found = rows_of(ours.activity_frame(KINDS[kind](frame), now=NOW, **names))
        expected = policy.activity(sold, now=NOW)
        assert {row["who"]: (row["orders"], row["amount"], row["changes_at"]) for row in found} == {
            who: (done.orders, done.amount if whole else float(done.amount), done.changes_at)
            for who, done in expected.items()
        }
        assert len(found) == len(expected)

    how(law)()


class Shifted(ValuePolicy):
    """Its columns have a window that ends a day ago."""

    def activity_frame(self, df: Any, *, now: datetime, **names: Any) -> Any:
        return super().activity_frame(df, now=now - DAY, **names)


class Unordered(ValuePolicy):
    """Its columns take every line for an order."""

    def activity_frame(self, df: Any, *, order: str | None = None, **names: Any) -> Any:  # noqa: ARG002 - that is it
        return super().activity_frame(df, **names)


@pytest.mark.rule("VAL-1")
@every_kind
def test_columns_count_what_activity_counts(kind: str) -> None:
    law_of_the_window(kind)


@pytest.mark.parametrize("wrong", [Shifted, Unordered])
def test_the_law_of_the_window_bites(wrong: type[ValuePolicy]) -> None:
    with pytest.raises(AssertionError):
        law_of_the_window("polars", wrong, settings(ONE_FAULT, max_examples=200))


@every_kind
def test_from_lines_to_tiers(kind: str) -> None:
    """12 orders within the year, of 5,000 each; another customer has 5."""
    lines = pl.DataFrame(
        {
            "who": ["u1"] * 13 + ["u2"] * 5,
            "at": [date(2025, 4, 1) + n * 25 * DAY for n in range(13)] + [date(2026, 1, 1)] * 5,
            "net": [5000.0] * 18,
        }
    )
    done = POLICY.activity_frame(KINDS[kind](lines), key="who", at="at", value="net", now=NOW)
    brought = nw.from_native(done).with_columns(referrals=nw.lit(0)).to_native()
    found = {row["who"]: (row["outcome"], row["next_change_at"]) for row in rows_of(POLICY.frame(brought, now=NOW))}
    assert found == {
        "u1": ("high", datetime(2026, 3, 31, 16, tzinfo=UTC)),
        "u2": ("mid", datetime(2026, 12, 31, 16, tzinfo=UTC)),
    }


@every_kind
def test_lines_without_a_key_or_a_value_are_refused(kind: str) -> None:
    for name in ("who", "net", "at"):
        columns = {"who": ["a", "b"], "net": [1.0, 2.0], "at": [NOW, NOW]}
        frame = pl.DataFrame(columns).with_columns(pl.when(pl.col("who") == "a").then(pl.col(name)).alias(name))
        with pytest.raises(InvalidFrame, match=name):
            POLICY.activity_frame(KINDS[kind](frame), key="who", at="at", value="net", now=NOW)


def test_the_name_of_the_key_must_be_free() -> None:
    frame = pl.DataFrame({"orders": ["a"], "net": [1.0], "at": [NOW]})
    with pytest.raises(InvalidFrame, match="prefix"):
        POLICY.activity_frame(frame, key="orders", at="at", value="net", now=NOW)
    found = POLICY.activity_frame(frame, key="orders", at="at", value="net", now=NOW, prefix="p_")
    assert found.columns == ["orders", "p_orders", "p_amount", "p_changes_at"]
