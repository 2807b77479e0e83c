"""Near-duplicates of rows, prompts and answers: the same but for a few words.

Exact duplicates are left to `cai.quality.checks.duplicates`.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from cai.quality.check import Check, register
from cai.quality.checks.duplicates import row_key
from cai.quality.near import NearIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.quality.check import Book, Options
    from cai.quality.near.part import Part
    from cai.quality.records import Level, Sample
    from cai.quality.texts import Texts

__all__ = ["NearDuplicateAnswers", "NearDuplicatePrompts", "NearDuplicates"]


class _Near(Check):
    what = "row"
    apart = True

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._index = NearIndex()
        self._known: set[int] = set()

    def add(self, index: int, key: int, parts: Sequence[Part], unsigned: int = 0) -> None:
        """Add a unit unless an equal one is there."""
        if key not in self._known:
            self._known.add(key)
            self._index.add(index, parts, unsigned)

    def allowed(self, later: int, earlier: int) -> bool:
        """Whether two rows may repeat each other."""
        return later != earlier

    def end(self) -> Level | None:
        """See `Check.end`."""
        for row, earlier, similarity in self._index.repeats(self.allowed):
            place = self.book.places[earlier]
            self.hit(row, f"{self.what} nearly repeats {place} ({similarity:.2f})", other=place)
        return None

    def close(self) -> None:
        """See `Check.close`."""
        self._index.close()


@register
class NearDuplicates(_Near):
    """Prompt and every answer nearly the same, with the same label."""

    name = "near-duplicates"
    about = "rows that nearly repeat an earlier row, prompt and answers alike (word 2-grams)"
    fix = "Keep the first of each: cai filter --drop near-duplicates."

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        answers = list(texts.answer_parts)
        if sample.chosen:
            # The better answer comes first, so that a swapped label is another row.
            answers.insert(0, answers.pop(sample.chosen))
        parts = [*texts.prompt_parts, *answers]
        self.add(sample.index, row_key(sample, texts), parts, unsigned=2)


@register
class NearDuplicatePrompts(_Near):
    """The prompts alone: the last turn and what came before it must both be alike."""

    name = "near-duplicate-prompts"
    about = "prompts that nearly repeat an earlier, different prompt"
    fix = "Fine as long as both sides of a split do not share them; else drop the later ones."
    level = "info"
    what = "prompt"

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        self.add(sample.index, texts.prompt_key, texts.prompt_parts)


@register
class NearDuplicateAnswers(_Near):
    """Answers to different prompts; a revision is always like the answer that it revises."""

    name = "near-duplicate-answers"
    about = "answers that nearly repeat an answer to another prompt"
    fix = "Look whether they are canned; sample with more variety or drop the later ones."
    level = "info"
    what = "answer"

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._prompts = array("Q")

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        while len(self._prompts) <= sample.index:
            self._prompts.append(0)
        self._prompts[sample.index] = texts.prompt_key
        for key, part in zip(texts.answer_keys, texts.answer_parts, strict=True):
            self.add(sample.index, key, [part])

    def allowed(self, later: int, earlier: int) -> bool:
        """See `_Near.allowed`."""
        return self._prompts[later] != self._prompts[earlier]
