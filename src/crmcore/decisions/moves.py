"""
What columns are made of beside expressions: instants as whole numbers, moved through pieces; numbers as words.

Each of these parts is an expression of narwhals, and a kind of frame may have a better way (`kinds`); `nw` is narwhals,
or Polars, which says all this in the same words. Few pieces are comparisons with literals. Many are a table: their
borders lie on an even grid, so the place in it is a division.
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here; the annotations say Expr for the reader.

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from crmcore.calendars.instants import LAST, micros
from crmcore.calendars.pieces import Piece, grid

if TYPE_CHECKING:
    from narwhals.stable.v2 import Expr

__all__ = ["FEW", "Cells", "Instants", "Micros", "Move", "Part", "Words", "chain", "choose", "literal"]

FEW: Final = 8
"""So many pieces are compared as fast as looked up."""
LONG: Final = 50
"""A chain of more arms is too deep for those who build it."""
NO_NUMBER: Final = LAST + 1
"""Stands for none in a table; no instant is so late."""


class Part(ABC):
    """A column to be made of another one."""

    column: str

    @abstractmethod
    def expression(self, nw: Any, *, whole: bool) -> Expr:
        """The column in the words of `nw`; `whole`: instants are whole microseconds here."""


@attrs.frozen
class Micros(Part):
    """A column of instants as microseconds since 1970."""

    column: str

    def expression(self, nw: Any, *, whole: bool) -> Expr:  # noqa: ARG002, D102 - it is whole
        return nw.col(self.column).dt.timestamp("us")


@attrs.frozen
class Instants(Part):
    """A column of microseconds since 1970 as instants."""

    column: str

    def expression(self, nw: Any, *, whole: bool) -> Expr:  # noqa: D102
        return nw.col(self.column).cast(nw.Datetime("us", "UTC")) if whole else nw.col(self.column)


@attrs.frozen
class Words(Part):
    """A column of numbers in words; -1 is none. As numbers first, words cost a third."""

    column: str
    words: tuple[str, ...]

    def expression(self, nw: Any, *, whole: bool) -> Expr:  # noqa: ARG002, D102 - no instants
        if not self.words:
            return nw.lit(None, dtype=nw.String)
        number, words = nw.col(self.column), [nw.lit(word) for word in self.words]
        return nw.when(number >= 0).then(choose(nw, number, range(len(words) - 1), words))


@attrs.frozen
class Move(Part):
    """The instants of a column through `pieces`: the first holds for all before it, the last for all beyond."""

    column: str
    pieces: tuple[Piece, ...]

    def expression(self, nw: Any, *, whole: bool) -> Expr:
        """By comparisons."""
        at, final = nw.col(self.column), self.pieces[-1]
        leaves = [
            _shifted(nw, at, p.shift, whole=whole) if p.value is None else literal(nw, p.value, whole=whole)
            for p in self.pieces
        ]
        uptos = [micros(p.upto) if whole else p.upto for p in self.pieces[:-1]]
        chosen = choose(nw, at, uptos, leaves)
        return chosen if final.value is None else nw.when(~at.is_null()).then(chosen)

    def table(self, longest: int) -> Cells | None:
        """The pieces on their grid; None for few, and where the grid is too fine."""
        borders = grid(self.pieces) if len(self.pieces) > FEW else None
        if borders is None:
            return None
        origin, step = borders
        count = (micros(self.pieces[-2].upto) - origin) // step + 2
        if count > longest:
            return None
        counts = list(_counts(self.pieces, origin, step))
        shifts, values = (
            [number for count, piece in counts for number in [told(piece)] * count] for told in (_shift, _value)
        )
        return Cells(self.column, origin, step, shifts, values)


def _counts(pieces: Sequence[Piece], origin: int, step: int) -> Iterator[tuple[int, Piece]]:
    at = origin
    for piece in pieces[:-1]:
        upto = micros(piece.upto)
        yield (upto - at) // step if upto > origin else 1, piece
        at = upto
    yield 1, pieces[-1]


def _shift(piece: Piece) -> int | None:
    return piece.shift if piece.value is None else None


def _value(piece: Piece) -> int | None:
    return None if piece.value is None else micros(piece.value)


def _shifted(nw: Any, at: Expr, shift: int, *, whole: bool) -> Expr:
    """Moved by microseconds: of a timedelta a database may make days of its session."""
    return at + nw.lit(shift) if whole else at.dt.offset_by(f"{shift}us")


@attrs.frozen
class Cells(Part):
    """
    A column of instants moved cell by cell.

    Cell 0 is all up to `origin`, cell n the `step` up to origin + n·step, the last all beyond; in microseconds. In each
    cell instants move by a shift, or all become one value; the other one is None.
    """

    column: str
    origin: int
    step: int
    shifts: list[int | None]
    values: list[int | None]

    @property
    def base(self) -> int:
        """Taken from an instant before the step divides it into the number of its cell."""
        return self.origin + 1 - self.step

    @property
    def top(self) -> int:
        """The most that is divided; the least is 0."""
        return (len(self.shifts) - 1) * self.step

    def expression(self, nw: Any, *, whole: bool) -> Expr:  # noqa: D102
        at = nw.col(self.column) if whole else nw.col(self.column).dt.timestamp("us")
        cell = (at - self.base).clip(0, self.top) // self.step
        shift, value = _found(nw, cell, self.shifts), _found(nw, cell, self.values)
        moved = nw.when(value == NO_NUMBER).then(at + shift).otherwise(value)
        return moved if whole else moved.cast(nw.Datetime("us", "UTC"))


def _found(nw: Any, cell: Expr, numbers: Sequence[int | None]) -> Expr:
    filled = [NO_NUMBER if number is None else number for number in numbers]  # pandas has no null among its numbers
    return cell.replace_strict(range(len(filled)), filled, default=None, return_dtype=nw.Int64)


def literal(nw: Any, at: datetime, *, whole: bool) -> Expr:
    """An instant in an expression."""
    return nw.lit(micros(at) if whole else at)


def choose(nw: Any, column: Expr, uptos: Sequence[Any], leaves: Sequence[Any]) -> Expr:
    """
    The leaf of the first of `uptos`, ascending, that the column does not pass; the last leaf beyond them all.

    Null passes them all. The comparisons are a balanced tree: a long chain is too deep for those who build it.
    """
    if not uptos:
        return leaves[0]
    middle = len(uptos) // 2
    low = choose(nw, column, uptos[:middle], leaves[: middle + 1])
    high = choose(nw, column, uptos[middle + 1 :], leaves[middle + 1 :])
    return nw.when(column <= nw.lit(uptos[middle])).then(low).otherwise(high)


def chain(nw: Any, arms: Sequence[tuple[Expr, Expr]], rest: Any = None) -> Expr:
    """The value of the first arm whose condition holds, else `rest`. Past so many arms a null value is `rest`, too."""
    if len(arms) > LONG:
        return nw.coalesce(chain(nw, arms[:LONG]), chain(nw, arms[LONG:], rest))
    for condition, value in reversed(arms):
        arm = nw.when(condition).then(value)
        rest = arm if rest is None else arm.otherwise(rest)
    return rest
