"""
The cap as columns: what each owner holds, and the order in which an owner who is over gives prospects back.

Counts are sums over the owner, places running sums in a total order. Rows that do not count are summed as 0, those
without an owner too, so no row is taken out and put back.
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here; the annotations say Expr for the reader.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from crmcore.decisions.codes import Outcome
from crmcore.decisions.frames import OWN, check_free, narwhal, narwhals, need, need_code, need_instant
from crmcore.errors import InvalidFrame
from crmcore.ownership.values import PAST_FACTS, Status

if TYPE_CHECKING:
    from narwhals.stable.v2 import Expr

__all__ = ["frame", "loads"]

LOAD: Final = ("owner", "open", "cap", "over_by", "after_reclaim", "over_after_reclaim")

Caps = Mapping[str | int, int]
"""Of some owners how many open prospects they may hold."""


def loads(df: Any, default: int | None, per_owner: Caps, *, prefix: str, owner: str, status: str) -> Any:
    """One row for each owner of open prospects, in the order of the ids as text."""
    held = _Held(df, prefix=prefix, owner=owner, status=status)
    nw = held.nw
    table = held.table.filter(held.open).select(owner=nw.col(owner), leave=held.reclaimed.cast(nw.Int64))
    table = table.group_by("owner").agg(open=nw.len(), leave=nw.col("leave").sum())
    table = table.with_columns(text=nw.col("owner").cast(nw.String), open=nw.col("open").cast(nw.Int64))
    table = table.with_columns(
        cap=held.cap(nw.col("text"), default, per_owner),
        after_reclaim=(nw.col("open") - nw.col("leave")).cast(nw.Int64),
    )
    over = {"over_by": held.over(nw.col("open")), "over_after_reclaim": held.over(nw.col("after_reclaim"))}
    table = table.with_columns(**over).sort("text").select(*LOAD)
    return held.native(nw.maybe_reset_index(table) if isinstance(table, nw.DataFrame) else table)


def frame(
    df: Any,
    default: int | None,
    per_owner: Caps,
    *,
    order_by: str | Sequence[str] | None,
    prefix: str,
    owner: str,
    status: str,
    key: str,
) -> Any:
    """`df` with the columns held and give_back; `key` is the column of the prospects' ids."""
    names = f"{prefix}held", f"{prefix}give_back"
    held = _Held(df, prefix=prefix, owner=owner, status=status)
    check_free(names, held.schema)
    held.check_windows()
    order = held.order(order_by, key)
    table = held.table.with_columns(**_scratch({**held.counts(), **order}))
    table = table.with_columns(**_scratch(held.sums([f"{OWN}{name}" for name in order], default, per_owner)))
    table = table.with_columns(**dict(zip(names, held.answer(), strict=True)))
    return held.native(table.select(*held.schema, *names))


def _scratch(columns: Mapping[str, Expr]) -> dict[str, Expr]:
    return {f"{OWN}{name}": column for name, column in columns.items()}


class _Held:
    """A frame at the door: checked, and what counts in it."""

    def __init__(self, df: Any, *, prefix: str, owner: str, status: str) -> None:
        self.nw: Any = narwhals()
        given = narwhal(df)
        polars = given.implementation.is_polars()
        self.eager_polars = polars and isinstance(given, self.nw.DataFrame)
        self.table = given.lazy() if self.eager_polars else given
        self.sql = isinstance(self.table, self.nw.LazyFrame) and not polars
        self.schema: Mapping[str, Any] = self.table.collect_schema()
        self.owner, self.status = owner, status
        self.outcome = f"{prefix}outcome" if prefix or "outcome" in self.schema else None
        self._check_id(owner, "owner")
        self._check_code(status, "status", "name yours: status='…'")
        if self.outcome:
            self._check_code(self.outcome, "outcome", "give the prefix that policy.frame was given")

    def native(self, table: Any) -> Any:
        """The caller's kind of frame."""
        return (table.collect() if self.eager_polars else table).to_native()

    # --- what counts ---

    def _says(self, column: str, code: str) -> Expr:
        return (self.nw.col(column).cast(self.nw.String) == code).fill_null(value=False)

    @property
    def open(self) -> Expr:
        """Whether a row is an open prospect with an owner (OWN-9)."""
        return self._says(self.status, Status.OPEN.value) & ~self.nw.col(self.owner).is_null()

    @property
    def reclaimed(self) -> Expr:
        """Whether an open prospect leaves without being given back."""
        return self._says(self.outcome, Outcome.RECLAIM.value) if self.outcome else self.nw.lit(value=False)

    def counts(self) -> dict[str, Expr]:
        """The owner as text, and a 1 in each row that counts; what has no owner counts as 0, under any name."""
        nw = self.nw
        return {
            "owner": nw.col(self.owner).cast(nw.String).fill_null(""),
            "open": self.open.cast(nw.Int64),
            "stays": (self.open & ~self.reclaimed).cast(nw.Int64),
        }

    def sums(self, order: Sequence[str], default: int | None, per_owner: Caps) -> dict[str, Expr]:
        """Over each owner: open prospects, those that stay, the place among them, the cap."""
        nw, owner = self.nw, f"{OWN}owner"
        stays = nw.col(f"{OWN}stays")
        return {
            "held": nw.col(f"{OWN}open").sum().over(owner),
            "after": stays.sum().over(owner),
            "place": stays.cum_sum().over(owner, order_by=order),
            "cap": self.cap(nw.col(owner), default, per_owner),
        }

    def answer(self) -> tuple[Expr, Expr]:
        """What is held by the row's owner, and its place among what goes back."""
        nw = self.nw
        is_open, stays, held, after, place, cap = (
            nw.col(f"{OWN}{name}") for name in ("open", "stays", "held", "after", "place", "cap")
        )
        goes = (stays == 1) & (place <= after - cap).fill_null(value=False)
        return (held * is_open).cast(nw.Int64), nw.when(goes).then(place).otherwise(nw.lit(0)).cast(nw.Int64)

    # --- the cap ---

    def cap(self, text: Expr, default: int | None, per_owner: Caps) -> Expr:
        """The cap of the owner whose id is `text`; null: no cap. One comparison for each number that is a cap."""
        nw, owners = self.nw, self._owners(per_owner)
        arms = [nw.when(text.is_in(ids)).then(nw.lit(number, dtype=nw.Int64)) for number, ids in owners.items()]
        if default is None:
            return nw.coalesce(*arms, nw.when(text.is_null()).then(nw.lit(0, dtype=nw.Int64)))  # null, as a number
        return nw.coalesce(*arms, nw.lit(default, dtype=nw.Int64)).cast(nw.Int64)

    def _owners(self, per_owner: Caps) -> dict[int, list[str]]:
        """The ids as text under each cap; of 7 and "7" the one counts that the column has."""
        whole = self.schema[self.owner].is_integer()
        by_text = {
            str(owner): per_owner[owner] for owner in sorted(per_owner, key=lambda o: isinstance(o, int) == whole)
        }
        owners: dict[int, list[str]] = {}
        for text, number in by_text.items():
            owners.setdefault(number, []).append(text)
        return owners

    def over(self, held: Expr) -> Expr:
        """By how many the cap is exceeded, 0 or more; null without a cap."""
        nw, cap = self.nw, self.nw.col("cap")
        return nw.coalesce(nw.when(held > cap).then(held - cap), nw.when(held <= cap).then(nw.lit(0, dtype=nw.Int64)))

    # --- the order ---

    def order(self, order_by: str | Sequence[str] | None, key: str) -> dict[str, Expr]:
        """The columns to sort by: of each whether it is null, then itself; the id as text comes last."""
        self._check_id(key, "id")
        names = [order_by] if isinstance(order_by, str) else order_by
        columns = [self._start()] if names is None else [self._ordered(name) for name in names]
        order: dict[str, Expr] = {}
        for number, column in enumerate(columns):
            order |= {f"null{number}": column.is_null(), f"order{number}": column}
        return {**order, "id": self.nw.col(key).cast(self.nw.String)}

    def _start(self) -> Expr:
        """When the idle clock started: the later of the two (OWN-14)."""
        nw = self.nw
        assigned, contact = (self._instant(name) for name in PAST_FACTS)
        return nw.when(assigned >= contact).then(assigned).otherwise(nw.coalesce(contact, assigned))

    def _instant(self, name: str) -> Expr:
        need(self.schema, name, name, "or give order_by='…'")
        need_instant(name, self.schema[name])
        column: Expr = self.nw.col(name)
        if self.sql:  # a database has one type of instant
            return column
        return column.dt.convert_time_zone("UTC").cast(self.nw.Datetime("us", "UTC"))

    def _ordered(self, name: str) -> Expr:
        need(self.schema, name, "order_by", "name yours: order_by='…'")
        nw, column, dtype = self.nw, self.nw.col(name), self.schema[name]
        if dtype == nw.Categorical:
            return column.cast(nw.String)  # its own order differs from kind to kind
        if dtype.is_float():
            return nw.when(~column.is_nan()).then(column)  # NaN is null, as it is to pandas
        if dtype in (nw.String, nw.Boolean) or isinstance(dtype, nw.Enum) or dtype.is_numeric() or dtype.is_temporal():
            return column
        raise InvalidFrame(f"column {name!r}", dtype, "in an order", "cast it to a number, a time or text")

    # --- the door ---

    def check_windows(self) -> None:
        """Refuses the kinds that cannot count in an order within each owner."""
        kind = self.table.implementation
        if kind.is_pyarrow() or kind.is_dask():
            remedy = "give it as one of Polars, pandas or DuckDB, e.g. nw.from_native(df).lazy('duckdb').to_native()"
            raise InvalidFrame("df", f"a frame of {kind.value}", "able to count within each owner in an order", remedy)

    def _check_code(self, name: str, fact: str, remedy: str) -> None:
        need(self.schema, name, fact, remedy)
        need_code(name, self.schema[name])

    def _check_id(self, name: str, fact: str) -> None:
        need(self.schema, name, fact, f"name yours: {fact}='…'")
        dtype = self.schema[name]
        text = dtype in (self.nw.String, self.nw.Categorical) or isinstance(dtype, self.nw.Enum)
        if not text and not dtype.is_integer():
            raise InvalidFrame(f"column {name!r}", dtype, "an id, as text or whole numbers", "cast it to one of them")
