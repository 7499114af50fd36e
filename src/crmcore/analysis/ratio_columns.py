"""
The figures of `assortment_table` and `composition` as columns: one row per product or part, the largest first.

Amounts are added up as whole minor units, so they are exact; ratios are floats within 1e-12 of the exact ones. Only the
degree divides by a sum of such floats: where profits and losses cancel out it is as uncertain as they leave it.
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from crmcore.analysis.ratios import stock_basis
from crmcore.analysis.values import Basis, Undefined
from crmcore.decisions.frames import OWN, check_free, narwhal, narwhals
from crmcore.errors import InvalidFrame
from crmcore.sales.frames import KEY, SOUND, VALUE, Expr, Frame, Lines, collected, lines
from crmcore.sales.frames import units as units_of

__all__ = ["ASSORTMENT", "COMPOSITION", "assortment_frame", "composition_frame"]

ASSORTMENT: Final = (
    "sales",
    "cost",
    "gross_profit",
    "average_stock",
    "sales_share",
    "cumulative_share",
    "margin_rate",
    "turnover",
    "cross_ratio",
    "contribution_ratio",
    "contribution_degree",
    "margin_product",
    "gross_profit_share",
    "gmroi",
    "margin_rate_undefined",
    "turnover_undefined",
)
"""The columns made, after that of the product; the last two are why, as text."""
COMPOSITION: Final = ("amount", "share")
ROLES: Final = ("sales", "cost", "opening", "closing")


def assortment_frame(
    df: Any,
    *,
    product: str = "product",
    sales: str = "sales",
    cost: str = "cost",
    opening: str = "opening",
    closing: str = "closing",
    basis: str = "retail",
    prefix: str = "",
    places: int = 2,
) -> Any:
    """
    The figures of `assortment_table` for lines in columns: that of the product, then `ASSORTMENT`, each with `prefix`.

    Lines of one product add up; a null cost or stock is unknown. What is undefined is null; `margin_rate_undefined` and
    `turnover_undefined` say why, and what is made of the two is null with them. Shares are null where the total is 0 or
    less. Plans and advice are `assortment_table`'s.

    The same kind comes back, and what is lazy stays lazy, but for one pass that adds up the totals (extra `frames`).
    Raises `InvalidFrame`, `InvalidPolicy`, `MissingExtra`.
    """
    names, held = dict(zip(ROLES, (sales, cost, opening, closing), strict=True)), stock_basis(basis)
    check_free([f"{prefix}{name}" for name in ASSORTMENT], [product])
    read, table = _by_product(df, product, names, places)
    table = _once(read.lines, table).with_columns(**_rates(held))
    whole = _totals(read, table)
    table = table.sort(f"{OWN}least", f"{OWN}text").select(**_figures(read, whole, held, product, prefix))
    return read.native(table)


def composition_frame(df: Any, *, by: str = "channel", value: str = "amount", prefix: str = "", places: int = 2) -> Any:
    """
    The amounts by the column `by` and their shares: that column, then `COMPOSITION`, each with `prefix`.

    The largest comes first, the unknown (null) last. As `composition`, and of the caller's kind as `assortment_frame`.
    """
    nw = narwhals()
    check_free([f"{prefix}{name}" for name in COMPOSITION], [by])
    read = lines(df, key=by, value=value, places=places)
    table = read.frame.with_columns(bad=(~nw.col(SOUND)).cast(nw.Int64))
    table = table.group_by(KEY).agg(sum=nw.col(VALUE).sum(), bad=nw.col("bad").sum())
    table = table.with_columns(nw.col("sum").cast(nw.Int64), unknown=nw.col(KEY).is_null().cast(nw.Int64))
    table = _once(read, table)
    found = _one(table.select(nw.col("sum").sum(), nw.col("bad").sum()))
    read.refuse({f"{OWN}no_value": found["bad"]})
    table = table.with_columns(least=-nw.col("sum"), text=nw.col(KEY).cast(nw.String)).sort("unknown", "least", "text")
    share = _over(nw.col("sum"), found["sum"])
    amounts = {by: nw.col(KEY), f"{prefix}amount": _divided(nw.col("sum"), read.unit), f"{prefix}share": share}
    return read.native(table.select(**amounts))


def _float(units: Expr) -> Expr:
    return units.cast(narwhals().Float64)


def _over(part: Expr, whole: float | None) -> Expr:
    """A share of a total above 0, else null."""
    nw = narwhals()
    if whole is None or whole <= 0:
        return nw.lit(None).cast(nw.Float64)
    return _divided(part, whole)


def _divided(part: Expr, whole: float) -> Expr:
    """Rounded once. Polars multiplies by the reciprocal of a literal, and 57 / 100 is then 0.5700000000000001."""
    return _float(part) / _float(part * 0 + whole)


def _once(read: Lines, table: Frame) -> Frame:
    """Sums of the lines, added up now where the caller's frame is eager: they are read twice."""
    return collected(table) if read.eager else table


def _one(frame: Frame) -> dict[str, int]:
    """The one row of a frame; a sum of nothing is 0."""
    return {name: value or 0 for name, value in collected(frame).rows(named=True)[0].items()}


# --- lines to products ---


@attrs.frozen
class _Read:
    """The caller's lines, how many units make one, and where some are unknown."""

    lines: Lines
    unit: int
    partly: tuple[str, ...]

    def native(self, frame: Frame) -> Any:
        """As the caller's kind."""
        return self.lines.native(frame)


def _by_product(df: Any, product: str, names: Mapping[str, str], places: int) -> tuple[_Read, Frame]:
    """Units by product, null where a line's are unknown; refuses what cannot be used."""
    nw, frame = narwhals(), narwhal(df)
    made = {role: lines(df, key=product, value=name, places=places) for role, name in names.items()}
    first, unit = made["sales"], max(each.unit for each in made.values())
    if first.eager and frame.implementation.is_polars():
        frame = frame.lazy()
    units = {role: units_of(names[role], each.schema[names[role]], each.places) for role, each in made.items()}
    nulls = {role: nw.col(name).is_null() for role, name in names.items()}
    counted = _one(frame.select(**_faults(product, units, nulls)))
    _refuse(first, counted, names)
    partly = tuple(role for role in ROLES if counted[f"{role}_null"])
    columns = {role: found[VALUE] * (unit // made[role].unit) for role, found in units.items()}
    flags = {f"{role}_null": nulls[role].cast(nw.Int64) for role in partly}
    table = frame.select(**{KEY: nw.col(product)}, **columns, **flags)
    table = table.group_by(KEY).agg(*(nw.col(name).sum() for name in (*columns, *flags)))
    table = table.with_columns(*(nw.col(name).cast(nw.Int64) for name in columns))
    known = {role: nw.when(nw.col(f"{role}_null") == 0).then(nw.col(role)) for role in partly}
    return _Read(first, unit, partly), table.with_columns(**known) if known else table


def _faults(product: str, units: Mapping[str, Mapping[str, Expr]], nulls: Mapping[str, Expr]) -> dict[str, Expr]:
    """How many lines have no product, what is null, and what is a number that cannot be held."""
    nw = narwhals()
    found = {"no_product": nw.col(product).is_null().cast(nw.Int64).sum()}
    for role, null in nulls.items():
        found[f"{role}_null"] = null.cast(nw.Int64).sum()
        found[f"{role}_bad"] = (~null & ~units[role][SOUND]).cast(nw.Int64).sum()
    return found


def _refuse(read: Lines, counted: Mapping[str, int], names: Mapping[str, str]) -> None:
    read.refuse({f"{OWN}no_key": counted["no_product"], f"{OWN}no_value": counted["sales_null"]})
    for role, name in names.items():
        if count := counted[f"{role}_bad"]:
            remedy = "a value is finite and below 2 ** 53 units; null is what is not known"
            raise InvalidFrame(f"column {name!r}", f"no such number in {count} rows", "an amount", remedy)


def _rates(basis: Basis) -> dict[str, Expr]:
    """Of each product: what comes of its own sums alone."""
    nw = narwhals()
    sales, cost, stock = nw.col("sales"), nw.col("cost"), nw.col("opening") + nw.col("closing")
    earned, turned = sales - cost, cost if basis is Basis.COST else sales
    margin = nw.when(sales > 0).then(_float(earned) / _float(sales))
    turns = nw.when(stock > 0).then(_float(turned) * 2.0 / _float(stock))
    return {
        "earned": earned,
        "stock": stock,
        "margin": margin,
        "turns": turns,
        "margin_why": _why(earned, sales, Undefined.NO_SALES, Undefined.NEGATIVE_SALES),
        "turns_why": _why(turned + stock, stock, Undefined.NO_STOCK, Undefined.NEGATIVE_STOCK),
        "weight": margin * turns * _float(sales),
        f"{OWN}least": -sales,
        f"{OWN}text": nw.col(KEY).cast(nw.String),
    }


def _why(known: Expr, whole: Expr, zero: Undefined, negative: Undefined) -> Expr:
    nw = narwhals()
    unknown = nw.when(known.is_null()).then(nw.lit(Undefined.UNKNOWN.value))
    return unknown.otherwise(
        nw.when(whole == 0)
        .then(nw.lit(zero.value))
        .otherwise(nw.when(whole < 0).then(nw.lit(negative.value)).otherwise(nw.lit(None).cast(nw.String)))
    )


# --- products to the table ---


def _totals(read: _Read, table: Frame) -> dict[str, Any]:
    """The sums over all products: sales, earned, weight; what is earned is unknown where a cost is."""
    nw = narwhals()
    found = _one(table.select(*(nw.col(name).sum() for name in ("sales", "earned", "weight"))))
    return found | ({"earned": None} if "cost" in read.partly else {})


def _figures(read: _Read, whole: Mapping[str, Any], basis: Basis, product: str, prefix: str) -> dict[str, Expr]:
    """The columns of the answer, from sorted sums and rates."""
    nw = narwhals()
    sales, earned, stock = nw.col("sales"), nw.col("earned"), nw.col("stock")
    running = sales.cum_sum().over(order_by=[f"{OWN}least", f"{OWN}text"]).cast(nw.Int64)
    share, cross = _over(sales, whole["sales"]), nw.col("margin") * nw.col("turns")
    returned = nw.when(stock > 0).then(_float(earned) * 2.0 / _float(stock))
    figures = {
        "sales": _divided(sales, read.unit),
        "cost": _divided(nw.col("cost"), read.unit),
        "gross_profit": _divided(earned, read.unit),
        "average_stock": _divided(stock, 2 * read.unit),
        "sales_share": share,
        "cumulative_share": _over(running, whole["sales"]),
        "margin_rate": nw.col("margin"),
        "turnover": nw.col("turns"),
        "cross_ratio": cross,
        "contribution_ratio": cross * share,
        "contribution_degree": _over(nw.col("weight"), whole["weight"] if whole["sales"] > 0 else None),
        "margin_product": _over(earned, whole["sales"]),
        "gross_profit_share": _over(earned, whole["earned"]),
        "gmroi": nw.lit(None).cast(nw.Float64) if basis is Basis.RETAIL else returned,
        "margin_rate_undefined": nw.col("margin_why"),
        "turnover_undefined": nw.col("turns_why"),
    }
    return {product: nw.col(KEY), **{f"{prefix}{name}": figures[name] for name in ASSORTMENT}}
