"""Answers that show how they were made: "Here is a revised response:"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cai.loop.text import leaks_revision, strip_scaffolding
from cai.quality.check import Check, register

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.quality.check import Book, Options
    from cai.quality.records import Sample
    from cai.quality.texts import Texts

__all__ = ["PreambleLeaks"]

# Whoever asks for a revision gets one announced.
_ASKS = re.compile(
    r"\b(?:revis|rewrit|rephras|paraphras|edit|improv|correct|proofread|critique|draft)", re.I
)
_ENDS = 600
"""Characters at both ends that are looked at: scaffolding stands there, and texts can be long."""


@register
class PreambleLeaks(Check):
    """Answers with a preamble or tag of the loop; prompts that ask for a revision do not count."""

    name = "preamble-leaks"
    about = "rows with an answer that talks about its own revision or holds tags of a prompt"
    fix = "Strip the preamble, or drop the rows; few-shot examples of clean revisions prevent it."

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._chosen = self._rejected = 0

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        if _ASKS.search(sample.question[-2000:]):
            return
        for i, answer in enumerate(sample.answers):
            if not _leaks(answer):
                continue
            where = "chosen" if i == sample.chosen else "rejected"
            self._chosen += where == "chosen"
            self._rejected += where != "chosen" and sample.chosen is not None
            self.hit(sample.index, "an answer talks about its revision", answer)

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        if self.hits:
            yield "Among chosen and rejected answers", f"{self._chosen:,} and {self._rejected:,}"


def _leaks(text: str) -> bool:
    if len(text) > 2 * _ENDS:
        text = f"{text[:_ENDS]}\n{text[-_ENDS:]}"
    return bool(strip_scaffolding(text)[1]) or leaks_revision(text)
