"""What the checks look at and what they find. Frozen, plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.records import Pair

__all__ = ["Example", "Finding", "Kind", "Level", "Report", "Sample", "Turn"]

Kind = Literal["comparison", "demonstration", "rating", "broken"]
"""`broken` is a row that could not be read; `Sample.problem` says why."""

Level = Literal["ok", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. Unlike `cai.records.Message` it takes any role: foreign files have `tool`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a file or run, whatever its format.

    `index` counts rows from 0 and is the row's name inside a check; `place` is for people. `chosen`
    is the position of the better answer, and None where no answer is better. `ratings` has one
    number for each answer, or none at all; `truncated` likewise. `pair` is that of the run, where
    the row is one of its preferences.
    """

    index: int
    place: str
    id: str
    kind: Kind
    prompt: tuple[Turn, ...] = ()
    answers: tuple[str, ...] = ()
    chosen: int | None = None
    ratings: tuple[float, ...] = ()
    tags: tuple[str, ...] = ()
    truncated: tuple[bool, ...] = ()
    problem: str = ""
    pair: Pair | None = None

    @property
    def question(self) -> str:
        """The last turn of the prompt."""
        return self.prompt[-1].content if self.prompt else ""

    @property
    def target(self) -> str | None:
        """The answer that a training moves towards; None where no answer is better."""
        return None if self.chosen is None else self.answers[self.chosen]

    @property
    def others(self) -> tuple[str, ...]:
        """The answers that lost; empty where no answer is better."""
        if self.chosen is None:
            return ()
        return tuple(text for i, text in enumerate(self.answers) if i != self.chosen)


@dataclass(frozen=True, slots=True)
class Example:
    """One place where a check found something. `other` is the place it is like, if any."""

    place: str
    text: str
    other: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    `count` of `of` rows are concerned. `figures` are further numbers, ready for print. `drops` maps
    the index of a row to the reason for which `cai filter` would leave it out.
    """

    check: str
    about: str
    level: Level
    count: int
    of: int
    fix: str
    figures: tuple[tuple[str, str], ...] = ()
    examples: tuple[Example, ...] = ()
    drops: Mapping[int, str] = field(default_factory=dict)

    @property
    def rate(self) -> float | None:
        """Share of rows concerned, from 0 to 1; None when no row could be looked at."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about one source, in the order of the checks."""

    source: str
    rows: int
    kinds: Mapping[str, int]
    findings: tuple[Finding, ...]

    def reaches(self, level: Level) -> bool:
        """Whether a finding is at least that grave."""
        order: tuple[Level, ...] = ("ok", "info", "warning", "error")
        return any(order.index(f.level) >= order.index(level) for f in self.findings)
