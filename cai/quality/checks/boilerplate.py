"""Phrases that come back in many answers ("You are valid …"), and how varied the words are.

Distinct-n is the number of different n-grams over that of all (Li et al. 2016, arXiv:1510.03055).
It falls with the size of a text, so it is taken over a fixed number of answers.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING

from cai.hashing import unit_interval
from cai.quality.check import Check, register
from cai.quality.grouping import groups_of
from cai.quality.words import key_of
from cai.store.signature import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cai.quality.check import Book, Options
    from cai.quality.records import Level, Sample
    from cai.quality.texts import Texts

__all__ = ["Boilerplate"]

_OPENING = 4
_INNER = 5
_OPENING_SHARE = 0.02
_INNER_SHARE = 0.05
_LEAST = 10
"""Answers that begin alike before it is called boilerplate, however small the file."""

_SAMPLED = 1_000
"""Answers that stand for all where phrases inside the text are counted."""


@register
class Boilerplate(Check):
    """Answers whose first four words begin more than 2 % of the answers; drops those beyond."""

    name = "boilerplate"
    about = "chosen answers that begin with the same four words as more than 2 % of all"
    fix = (
        "Use several principles and critiques, or an anti-preaching principle; dropping keeps as "
        "many of each opening as the limit allows."
    )

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._openings = array("Q")
        self._rows = array("Q")
        self._texts: dict[int, str] = {}
        # A sample of answers that does not depend on their order: the smallest hashes stay.
        self._sampled: list[tuple[float, str]] = []
        self._worst = 1.0
        self._top: list[tuple[str, int]] = []

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        if sample.target is None:
            return
        self.seen += 1
        words = words_of(sample.target[:200])[:_OPENING]
        if len(words) == _OPENING:
            self._openings.append(key_of(*words))
            self._rows.append(sample.index)
        draw = unit_interval("boilerplate", sample.index)
        if draw < self._worst:
            self._sampled.append((draw, sample.target))
            if len(self._sampled) >= 2 * _SAMPLED:
                self._thin()

    def _thin(self) -> None:
        self._sampled = sorted(self._sampled)[:_SAMPLED]
        self._worst = self._sampled[-1][0]

    def end(self) -> Level | None:
        """See `Check.end`."""
        limit = max(_LEAST, int(_OPENING_SHARE * self.seen))
        for group in groups_of(self._openings):
            if len(group) <= limit:
                continue
            place = self.book.places[self._rows[group[0]]]
            for count, i in enumerate(group):
                row = self._rows[i]
                self.hit(row, f"begins as {len(group):,} answers do", other=place)
                if count < limit:
                    self.kept.add(row)
        return None

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        self._sampled = sorted(self._sampled)[:_SAMPLED]
        answers = [words_of(text) for _, text in self._sampled]
        if not answers:
            return
        openings = Counter(
            " ".join(words[:_OPENING]) for words in answers if len(words) >= _OPENING
        )
        least = max(_LEAST, _OPENING_SHARE * len(answers))
        for phrase, count in openings.most_common(5):
            if count > least:
                yield f"Begin with \u201c{phrase}\u201d", f"about {count / len(answers):.1%}"
        yield from self._inner(answers)
        for n in (1, 2):
            grams = [gram for words in answers for gram in _grams(words, n)]
            if grams:
                share = len(set(grams)) / len(grams)
                yield f"Distinct-{n} of {len(answers):,} answers", f"{share:.3f}"

    def _inner(self, answers: list[list[str]]) -> Iterator[tuple[str, str]]:
        counts = Counter(gram for words in answers for gram in set(_grams(words, _INNER)))
        shown: list[set[str]] = []
        for gram, count in counts.most_common(50):
            if count <= max(_LEAST, _INNER_SHARE * len(answers)) or len(shown) == 5:
                return
            # N-grams that are one word further on are the same phrase.
            if any(len(seen & set(gram)) >= _INNER - 1 for seen in shown):
                continue
            shown.append(set(gram))
            yield f"Contain \u201c{' '.join(gram)}\u201d", f"about {count / len(answers):.1%}"


def _grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[i:] for i in range(n)), strict=False))
