"""Who is spoken of: tags and words for groups of people, and whether those win or lose.

Skewed counts and chosen rates are where a reward model's bias begins (Blodgett et al. 2020,
arXiv:2005.14050, on what such counts can and cannot say).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cai.quality.check import Check, register
from cai.quality.words import Vocabulary, ngrams, ngrams_of
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.quality.check import Book, Options
    from cai.quality.records import Finding, Level, Sample
    from cai.quality.texts import Texts
    from cai.quality.words import Hashes

__all__ = ["Representation", "Terms"]

_LEAST = 20
"""Comparisons in which one answer alone names a group, before a rate is called skewed."""

_NO_RATES = "Nothing: no pair has a group in one answer alone, so there is no chosen rate."


class Terms:
    """Finds the groups that a text speaks of, by the words in the file beside this module."""

    def __init__(self) -> None:
        vocabulary = Vocabulary()
        self.names: list[str] = []
        hashes, groups, lengths = [], [], []
        text = Path(__file__).with_name("_terms.txt").read_text(encoding="utf-8")
        for line in text.splitlines():
            name, colon, terms = line.partition(":")
            if line.startswith("#") or not colon:
                continue
            for term in terms.split(","):
                words = vocabulary.encode(term)
                hashes.append(int(ngrams(words, len(words))[0]))
                groups.append(len(self.names))
                lengths.append(len(words))
            self.names.append(name)
        order = np.argsort(np.array(hashes, np.uint64))
        self._hashes = np.array(hashes, np.uint64)[order]
        self._groups = np.array(groups)[order]
        self._lengths = sorted(set(lengths))

    def groups(self, words: Hashes) -> set[int]:
        """The groups whose words are among these, as positions in `names`."""
        found: set[int] = set()
        for _, own in ngrams_of(words, self._lengths):
            places = self._hashes.searchsorted(own)
            places[places == len(self._hashes)] = 0
            found.update(self._groups[places[self._hashes[places] == own]].tolist())
        return found


@register
class Representation(Check):
    """Rows that name a group of people; no fault in itself, and no row is dropped for it."""

    name = "representation"
    about = "rows that name a group of people (by a word list), and rows of each tag"
    fix = "Compare the chosen rates: far from one half, the label may go with the group."
    level = "info"
    drops = False
    apart = True

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._terms = Terms()
        self._rows: Counter[int] = Counter()
        self._won: Counter[int] = Counter()
        self._alone: Counter[int] = Counter()
        self._tags: Counter[str] = Counter()

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        self._tags.update(sample.tags)
        asked = set().union(*(self._terms.groups(words) for words in texts.turns))
        named = [self._terms.groups(words) for words in texts.answers]
        everywhere = asked.union(*named)
        self._rows.update(everywhere)
        if everywhere:
            names = ", ".join(self._terms.names[i] for i in sorted(everywhere))
            self.hit(sample.index, f"names {names}")
        if sample.kind == "comparison" and sample.chosen is not None and len(named) == 2:
            alone = named[0] ^ named[1]
            self._alone.update(alone)
            self._won.update(alone & named[sample.chosen])

    def end(self) -> Level | None:
        """See `Check.end`."""
        return "info" if self.hits or self._tags else "ok"

    def finish(self) -> Finding:
        """See `Check.finish`; without chosen rates there is nothing to compare."""
        found = super().finish()
        return found if self._alone else replace(found, fix=_NO_RATES)

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        for tag, count in self._tags.most_common(20):
            yield f"Tag {tag}", f"{count:,} rows ({count / max(1, self.seen):.1%})"
        for group, count in self._rows.most_common():
            text = f"{count:,} rows ({count / self.seen:.1%})"
            if pairs := self._alone[group]:
                share = wilson(self._won[group], pairs)
                skewed = pairs >= _LEAST and not share.low <= 0.5 <= share.high
                text += (
                    f"; chosen where it alone names them {share.estimate:.0%} of {pairs:,} "
                    f"({share.low:.0%} to {share.high:.0%})" + " !" * skewed
                )
            yield f"Names {self._terms.names[group]}", text
