"""Small models collapse: they repeat themselves or end in emoji."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import regex

from cai.quality.check import Check, register
from cai.quality.words import ngrams

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.quality.check import Book, Options
    from cai.quality.records import Sample
    from cai.quality.texts import Texts
    from cai.quality.words import Hashes

__all__ = ["Collapse", "collapsed"]

_EMOJI = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}{2}")
_RUN = 20
# Rules, tables and indentation are drawn with such runs; what they are made of does not count.
_DRAWING = regex.compile(r"[\s\-_=*#.~|+\u2500-\u257f]")
_NGRAM = 3
_LEAST_WORDS = 30
_REPEATED = 0.5
"""Share of word 3-grams that come again in the answer."""

_EMOJI_LEAST, _EMOJI_SHARE = 5, 0.2
"""So many emoji, and so many for each word, are no ornament any more."""


@register
class Collapse(Check):
    """Answers that repeat themselves, run on one character or are full of emoji."""

    name = "collapse"
    about = "rows with an answer that repeats itself or is full of emoji"
    fix = "Drop the rows; use a stronger reviser, or a lower temperature, if there are many."
    apart = True

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._why: Counter[str] = Counter()

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        for answer, words in zip(sample.answers, texts.answers, strict=True):
            why = collapsed(answer, words)
            if why:
                self._why[why] += 1
                self.hit(sample.index, why, answer)
                return

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        yield from ((why.capitalize(), f"{count:,}") for why, count in self._why.most_common())


def collapsed(text: str, words: Hashes) -> str:
    """How an answer has collapsed, or an empty text."""
    if len(words) >= _LEAST_WORDS:
        grams = ngrams(words, _NGRAM)
        if 1 - len(np.unique(grams)) / len(grams) > _REPEATED:
            return "the answer repeats itself"
    if any(char * _RUN in text and not _DRAWING.match(char) for char in set(text)):
        return "one character runs on"
    if not text.isascii():
        emoji = len(_EMOJI.findall(text))
        if emoji >= _EMOJI_LEAST and emoji > _EMOJI_SHARE * max(1, len(words)):
            return "the answer is full of emoji"
    return ""
