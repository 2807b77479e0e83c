"""Answers that were cut off: by the file's own word, or by the look of their end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cai.quality.check import Check, register

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.quality.check import Book, Options
    from cai.quality.records import Sample
    from cai.quality.texts import Texts

__all__ = ["Truncation", "looks_cut"]

_LEAST_WORDS = 40
_SIGNATURE = 6
"""A last line of so few words may be a signature or a heading."""

_ITEM = re.compile(r"\s*(?:[-*+\u2022#>|]|\d{1,3}[.)]|[A-Za-z][.)]\s)")
_WORD_OR_COMMA = re.compile(r"[\w,;(\[\u2013\u2014-]\Z")


@register
class Truncation(Check):
    """Chosen answers that were cut off, and how many rejected ones were."""

    name = "truncation"
    about = "rows whose chosen answer was cut off (by the file's word, or by the look of its end)"
    fix = "Raise the token limit and sample again, or drop the rows: the policy learns to stop so."

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._marked = self._rejected = 0

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        for i, answer in enumerate(sample.answers):
            marked = bool(sample.truncated) and sample.truncated[i]
            if not marked and not looks_cut(answer, len(texts.answers[i])):
                continue
            if sample.chosen is not None and i != sample.chosen:
                self._rejected += 1
                continue
            self._marked += marked
            end = "\N{HORIZONTAL ELLIPSIS}" + answer[-120:]
            self.hit(sample.index, "the answer was cut off", end)

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        if self.hits or self._rejected:
            yield "By the file's word", f"{self._marked:,}"
            yield "Rejected answers cut off", f"{self._rejected:,}"


def looks_cut(text: str, words: int) -> bool:
    """Whether a longer text ends inside a sentence of prose or inside a code block."""
    text = text.rstrip()
    if words < _LEAST_WORDS:
        return False
    if text.count("```") % 2:
        return True
    last = text[text.rfind("\n") + 1 :]
    if _ITEM.match(last) or len(last.split()) <= _SIGNATURE or text.endswith("```"):
        return False
    return bool(_WORD_OR_COMMA.search(last))
