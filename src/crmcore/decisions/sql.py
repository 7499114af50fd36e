"""
The text of a policy in SQL: the columns of the compiler for a table that only the database sees.

Ibis writes it and opens no connection. Only a dialect is taken whose text was run against `decide`. PostgreSQL needs
two things. Each step is a subquery with OFFSET 0: without it the planner folds them into one expression, for seconds or
minutes. And a move of many pieces is looked up among its borders: in comparisons it would take a megabyte.
"""

# mypy: disable-error-code="no-any-return"
# ibis and narwhals are imported late, so what they make is Any here.

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from crmcore.decisions.columns import judge
from crmcore.decisions.deadlines import Deadlines
from crmcore.decisions.frames import ANSWER
from crmcore.decisions.kinds import Kind, Sheet
from crmcore.decisions.moves import FEW, Move
from crmcore.errors import InvalidFrame, MissingExtra

__all__ = ["sql"]

DIALECTS: Final = ("postgres",)
INSTANT: Final = "timestamp('UTC', 6)"
INSTANTS: Final = f"array<{INSTANT}>"
MICROSECOND: Final = timedelta(microseconds=1)


def sql(
    deadlines: Deadlines,
    table: str,
    now: datetime,
    *,
    keys: str | Iterable[str] = "id",
    flag: bool = False,
    dialect: str = "postgres",
    prefix: str = "",
    until: datetime | None = None,
) -> str:
    """One SELECT: of each row of `table` its keys and the four columns of the answer. Another book holds `until`."""
    if dialect not in DIALECTS:
        remedy = "read the rows and use policy.frame, or policy.decide row by row"
        raise InvalidFrame("dialect", repr(dialect), f"one that keeps the answers ({', '.join(DIALECTS)})", remedy)
    keys = (keys,) if isinstance(keys, str) else tuple(keys)
    sheet = Sheet(_table(table, _schema(deadlines, keys, flag=flag)), POSTGRES)
    judge(deadlines, sheet, now, prefix, until)
    return _text(sheet.native().select(*keys, *(f"{prefix}{name}" for name in ANSWER)), dialect)


def _ibis() -> Any:
    try:
        import ibis
    except ImportError:
        raise MissingExtra("ibis-framework", "queries", "policy.sql") from None
    return ibis


# --- the table ---


def _schema(deadlines: Deadlines, keys: Sequence[str], *, flag: bool) -> dict[str, str]:
    """The columns that are read, and their types; the type of a key does not matter."""
    rules = deadlines.rules
    texts = {rules.gate, rules.owner, *(limit.by for limit in rules.limits)}
    facts = zip(deadlines.read.facts, deadlines.read.hosts, strict=True)
    read = {host: "string" if fact in texts else INSTANT for fact, host in facts}
    flagged = {deadlines.flag_host: "boolean"} if flag and deadlines.flag_host else {}
    return dict.fromkeys(keys, "string") | read | flagged


def _table(name: str, schema: Mapping[str, str]) -> Any:
    """A table that Ibis knows by name and columns alone."""
    database, dot, table = name.rpartition(".")
    if not table or "." in database or (dot and not database):
        raise InvalidFrame("table", repr(name), "a name, or schema.name", "give it without quotes: they are added")
    return _ibis().table(schema, name=table, database=database or None)


# --- moves looked up ---


def _with_moves(nw: Any, rows: Any, moves: Mapping[str, Any]) -> Any:
    """The moves of many pieces looked up."""
    few = {name: move for name, move in moves.items() if len(move.pieces) <= FEW}
    rows = rows.with_columns(**{name: move.expression(nw, whole=False) for name, move in few.items()}) if few else rows
    native = rows.to_native()
    looked = {name: _moved(native[move.column], move) for name, move in moves.items() if name not in few}
    return nw.from_native(native.mutate(**looked))


POSTGRES: Final = Kind(sql=True, parts=(Move,), made=_with_moves)


def _moved(column: Any, at: Move) -> Any:
    """`width_bucket` counts the borders that an instant has reached: each is a microsecond after its piece."""
    ibis = _ibis()
    borders = ",".join((piece.upto + MICROSECOND).isoformat() for piece in at.pieces[:-1])
    place = _function("width_bucket", (INSTANT, INSTANTS), "int64")(
        column, ibis.literal(f"{{{borders}}}").cast(INSTANTS)
    )
    shift = _found([piece.shift if piece.value is None else None for piece in at.pieces], place).cast("int64")
    value = _found([piece.value and piece.value.isoformat() for piece in at.pieces], place).cast(INSTANT)
    return ibis.coalesce(column + shift * ibis.interval(microseconds=1), value)


def _found(values: Sequence[Any], place: Any) -> Any:
    """The value at its place, as text; a list in JSON, for Ibis has no plain subscript."""
    ibis = _ibis()
    kind = ibis.expr.datatypes.JSON(binary=True)
    listed = ibis.literal(json.dumps(values, separators=(",", ":"))).cast(kind)
    return _function("jsonb_array_element_text", (kind, "int64"), "string")(listed, place)


@cache
def _function(name: str, given: tuple[Any, Any], made: str) -> Any:
    """A function that the database brings."""
    return _ibis().udf.scalar.builtin(lambda _a, _b: None, name=name, signature=(given, made))


# --- the text ---


def _text(query: Any, dialect: str) -> str:
    """The query with a fence round every step; sqlglot is what Ibis writes with."""
    from sqlglot import exp, parse_one

    tree = parse_one(_ibis().to_sql(query, dialect=dialect, pretty=False), read=dialect)
    for inner in tree.find_all(exp.Subquery):
        inner.this.set("offset", exp.Offset(expression=exp.Literal.number(0)))
    return tree.sql(dialect=dialect)
