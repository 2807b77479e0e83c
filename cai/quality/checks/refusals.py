"""Refusals and evasions among the chosen answers, by phrases: a smoke test and no measurement.

Judges reward evasion: it is harmless and useless (Bai et al. 2022, arXiv:2212.08073, section 4.4).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from cai.quality.check import Check, register
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.quality.check import Book, Options
    from cai.quality.records import Level, Sample
    from cai.quality.texts import Texts

__all__ = ["Refusals", "phrases"]

_BEGINNING = 200
_MANY = 0.2
"""Share of chosen answers, by the lower end of its interval, from which it is a warning."""


@register
class Refusals(Check):
    """Chosen answers that look like a refusal or evasion; drops where no rejected one does."""

    name = "refusals"
    about = "chosen answers that look like a refusal or evasion (phrase list: a smoke test only)"
    fix = (
        "Read some of them. Where harmless questions are refused, drop the rows whose rejected "
        "answer helps, and use a judge question that prefers help without evasion."
    )
    level = "info"

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        found = phrases()
        self._refusal = re.compile("|".join(map(re.escape, found["refusal"])))
        self._evasion = re.compile("|".join(map(re.escape, found["evasion"])))
        self._inverted = self._rejected = self._refused = 0

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        if sample.target is None:
            return
        self.seen += 1
        found = self._found(sample.target)
        others = [self._found(other) for other in sample.others]
        self._rejected += any(others)
        if not found:
            return
        self._refused += found == "refusal"
        self.hit(sample.index, f"chosen looks like a {found}", sample.target)
        if others and not any(others):
            self._inverted += 1
        else:
            self.kept.add(sample.index)

    def _found(self, text: str) -> str:
        folded = text.casefold().replace("\u2019", "'")
        if self._refusal.search(folded[:_BEGINNING]):
            return "refusal"
        return "evasion" if self._evasion.search(folded) else ""

    def end(self) -> Level | None:
        """See `Check.end`."""
        many = self.seen and wilson(len(self.hits), self.seen).low > _MANY
        return "warning" if many else None

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        if self.hits or self._rejected:
            evasions = len(self.hits) - self._refused
            yield "Chosen", f"{self._refused:,} refusals, {evasions:,} evasions"
            yield "Rejected (one or more of a row)", f"{self._rejected:,}"
            yield "Chosen refuses, rejected does not", f"{self._inverted:,}"


def phrases() -> dict[str, list[str]]:
    """The phrases by kind, from the file beside this one."""
    found: dict[str, list[str]] = {}
    kind = ""
    text = Path(__file__).with_name("_phrases.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
            found[kind] = []
        elif line and not line.startswith("#"):
            found[kind].append(line)
    return found
