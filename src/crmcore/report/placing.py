"""
Labels beside points, so that none covers another: the first free place around each, the nearest tried first.

>>> place([Point(50, 50, 4), Point(60, 50, 4)], [(30, 10), (30, 10)], Box(0, 0, 100, 100))
[Box(left=14.0, bottom=45.0, right=44.0, top=55.0), Box(left=66.0, bottom=45.0, right=96.0, top=55.0)]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import cos, hypot, pi, sin
from typing import Final

import attrs

__all__ = ["Box", "Point", "nearest", "place"]

GAP: Final = 2.0
"""Between a point's edge and its label."""
DIRECTIONS: Final = (0, 4, 2, 6, 1, 7, 3, 5, 8, 15, 9, 14, 10, 13, 11, 12)
"""Eighths of a turn from the right, the ones that read best first; from 8 on the sixteenths between them."""
PIECE: Final = 4.0
"""A line from a label to its point is looked at every so many points."""
REACH: Final = (0, 8, 18, 30, 45)
"""How far away a label is tried, after the first place beside the point."""


@attrs.frozen
class Box:
    """A rectangle, in points."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: Box) -> bool:
        """Whether they have a piece in common."""
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.top <= other.bottom or other.top <= self.bottom)

    def within(self, other: Box) -> bool:
        """Whether all of it lies in the other."""
        across = other.left <= self.left and self.right <= other.right
        return across and other.bottom <= self.bottom and self.top <= other.top


@attrs.frozen
class Point:
    """A marker, in points: its middle and its radius."""

    x: float
    y: float
    radius: float

    @property
    def box(self) -> Box:
        """What it covers."""
        return Box(self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius)


def place(points: Sequence[Point], sizes: Sequence[tuple[float, float]], inside: Box) -> list[Box | None]:
    """
    A place for the label of each of the first points, one for each size; ``None`` where there is none left.

    No label covers a point, another label, or the line from another to its point, nor leaves `inside`; and no line runs
    through a label. The order is that of importance.
    """
    taken, labels = [point.box for point in points], list[Box]()
    placed: list[Box | None] = []
    for point, size in zip(points, sizes, strict=False):
        found = next((box for box in _around(point, *size) if _free(box, point, inside, taken, labels)), None)
        placed.append(found)
        if found:
            labels.append(found)
            taken += [found, *_line(found, point)]
    return placed


def _free(box: Box, point: Point, inside: Box, taken: Sequence[Box], labels: Sequence[Box]) -> bool:
    if not box.within(inside) or any(map(box.meets, taken)):
        return False
    return not any(piece.meets(label) for piece in _line(box, point) for label in labels)


def _line(box: Box, point: Point) -> Iterator[Box]:
    """Pieces of the line from a label to its point, none where it stands beside it."""
    x, y, away = nearest(box, point)
    pieces = int(away // PIECE)
    for part in (each / (pieces + 1) for each in range(1, pieces + 1)):
        across, up = x + (point.x - x) * part, y + (point.y - y) * part
        yield Box(across - 0.5, up - 0.5, across + 0.5, up + 0.5)


def _around(point: Point, width: float, height: float) -> Iterator[Box]:
    for reach, direction in ((reach, direction) for reach in REACH for direction in DIRECTIONS):
        turn = direction * pi / 4 if direction < 8 else (2 * direction - 15) * pi / 8  # noqa: PLR2004
        away = point.radius + GAP + reach
        x, y = point.x + away * cos(turn), point.y + away * sin(turn)
        left = x - width * (1 - round(cos(turn), 9)) / 2
        bottom = y - height * (1 - round(sin(turn), 9)) / 2
        yield Box(left, bottom, left + width, bottom + height)


def nearest(box: Box, point: Point) -> tuple[float, float, float]:
    """The place of the box that is nearest to the point, and how far it is from the point's edge."""
    x, y = min(max(point.x, box.left), box.right), min(max(point.y, box.bottom), box.top)
    return x, y, hypot(x - point.x, y - point.y) - point.radius
