"""Evaluation items in the training data: whoever trains on them measures memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cai.quality.against import EvalIndex
from cai.quality.check import Check, excerpt, register
from cai.quality.words import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.quality.against import Leak
    from cai.quality.check import Book, Options
    from cai.quality.records import Level, Sample
    from cai.quality.texts import Texts
    from cai.quality.words import Hashes

__all__ = ["Contamination"]

_TOGETHER = 50_000
"""Words of texts that are looked at together."""


@register
class Contamination(Check):
    """Rows that share n words in a row with an evaluation file; see `EvalIndex`."""

    name = "contamination"
    about = "rows that share a run of words with a file given by --against"
    fix = "Name evaluation files with --against FILE, and drop these rows before training."
    level = "error"
    apart = True

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        # Hashes of words are the same in every vocabulary.
        words = Vocabulary()
        self._indexes = [EvalIndex(path, options.ngram, words) for path in options.against]
        self._rows: Counter[int] = Counter()
        self._short: Counter[int] = Counter()
        self._last = [-1] * len(self._indexes)
        self._waiting: list[tuple[int, str, Hashes]] = []
        self._words = 0
        self._items: dict[int, set[int]] = {i: set() for i in range(len(self._indexes))}

    @classmethod
    def ready(cls, options: Options) -> bool:
        """See `Check.ready`."""
        return bool(options.against)

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        said = [turn.content for turn in sample.prompt]
        for text, words in zip(
            (*said, *sample.answers), (*texts.turns, *texts.answers), strict=True
        ):
            self._waiting.append((sample.index, excerpt(text, 100), words))
            self._words += len(words)
            for number, index in enumerate(self._indexes):
                if leak := index.whole(text, len(words)):
                    self._note(number, leak, len(self._waiting) - 1)
        if self._words >= _TOGETHER:
            self._look()

    def _look(self) -> None:
        """Look for leaks in all texts that wait."""
        for number, index in enumerate(self._indexes):
            if self._waiting:
                for position, leak in sorted(index.find([w for _, _, w in self._waiting]).items()):
                    self._note(number, leak, position)
        self._waiting, self._words = [], 0

    def _note(self, number: int, leak: Leak, position: int) -> None:
        row, shown, _ = self._waiting[position]
        self._items[number].add(leak.item)
        if self._last[number] != row:
            self._last[number] = row
            self._rows[number] += 1
            self._short[number] += leak.length < self.options.ngram
        place = self._indexes[number].places[leak.item]
        self.hit(row, f"shares {leak.length} words with {place}", shown, place)

    def end(self) -> Level | None:
        """See `Check.end`."""
        self._look()
        return None

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        for number, index in enumerate(self._indexes):
            items = len(self._items[number])
            short = self._short[number]
            yield (
                f"Against {index.path.name}",
                f"{self._rows[number]:,} rows share words with at least {items:,} of "
                f"{len(index.places):,} texts"
                + (f"; {short:,} by a text of fewer than {self.options.ngram} words" * bool(short)),
            )
