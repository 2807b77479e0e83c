"""A chart and its marks, in units of a viewBox whose origin is at the top left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

__all__ = ["WIDTH", "Anchor", "Chart", "Dot", "Line", "Mark", "Rect", "Table", "Words"]

WIDTH = 360.0

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells ready to print. Columns whose index is in `numbers` are aligned to the right."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Rect:
    """A bar; `hover` is what a pointer shows."""

    kind: ClassVar[str] = "rect"
    x: float
    y: float
    width: float
    height: float
    look: str
    hover: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line."""

    kind: ClassVar[str] = "line"
    x1: float
    y1: float
    x2: float
    y2: float
    look: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle."""

    kind: ClassVar[str] = "dot"
    x: float
    y: float
    r: float
    look: str
    hover: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text; `y` is its baseline."""

    kind: ClassVar[str] = "words"
    x: float
    y: float
    text: str
    look: str = "label"
    anchor: Anchor = "start"


Mark: TypeAlias = Rect | Line | Dot | Words


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with everything that replaces it for whoever cannot see it.

    Args:
        id: unique in the page.
        title: what it shows.
        desc: what is to be seen, in a sentence.
        height: of the viewBox.
        marks: in the order of drawing.
        legend: look and meaning of each colour; empty where there is one.
        table: all figures that are drawn.
    """

    id: str
    title: str
    desc: str
    height: float
    marks: tuple[Mark, ...]
    table: Table
    legend: tuple[tuple[str, str], ...] = ()

    @property
    def width(self) -> float:
        """Of the viewBox."""
        return WIDTH
