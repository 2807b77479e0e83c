"""What a report is made of: sections of plain blocks, which HTML and Markdown each render."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from cai.report.charts.records import Chart, Table

if TYPE_CHECKING:
    from cai.report.transcripts import ShownRow

__all__ = [
    "Block",
    "Charts",
    "Document",
    "Facts",
    "Fold",
    "Level",
    "Note",
    "Section",
    "Table",
    "Tables",
    "Tile",
    "Tiles",
    "Transcripts",
]

Level = Literal["plain", "good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence or two that stand out, by `level`."""

    kind: ClassVar[str] = "note"
    text: str
    level: Level = "plain"


@dataclass(frozen=True, slots=True)
class Tile:
    """One large figure; `detail` is its denominator or interval."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Figures side by side."""

    kind: ClassVar[str] = "tiles"
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, one below the other."""

    kind: ClassVar[str] = "facts"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts side by side where there is room."""

    kind: ClassVar[str] = "charts"
    charts: tuple[Chart, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """Small tables side by side where there is room."""

    kind: ClassVar[str] = "tables"
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """A table that is shown on demand, and left out of the short summary."""

    kind: ClassVar[str] = "fold"
    title: str
    table: Table


@dataclass(frozen=True, slots=True)
class Transcripts:
    """Rows with their texts, folded. Only HTML has them."""

    kind: ClassVar[str] = "transcripts"
    title: str
    about: str
    rows: tuple[ShownRow, ...]
    none: str


Block: TypeAlias = Note | Tiles | Facts | Charts | Fold | Table | Tables | Transcripts


@dataclass(frozen=True, slots=True)
class Section:
    """One question about the run. `id` is its anchor."""

    id: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The whole report.

    Args:
        title: of the page.
        about: one line on what it is about.
        verdict: what people's labels have to say, in few words.
        doubts: what a reader must know before any figure.
        tiles: the figures that come first.
        sections: in the order of the page.
    """

    title: str
    about: str
    verdict: Note
    doubts: tuple[Note, ...]
    tiles: Tiles
    sections: tuple[Section, ...]
