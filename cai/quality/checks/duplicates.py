"""Exact duplicates after normalisation: rows, prompts and answers.

Duplicates weigh some rows more than others and make held-out figures too good (Lee et al. 2022,
"Deduplicating Training Data Makes Language Models Better", arXiv:2107.06499).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from cai.quality.check import Check, register
from cai.quality.grouping import groups_of, later_ones
from cai.quality.words import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.quality.check import Book, Options
    from cai.quality.records import Level, Sample
    from cai.quality.texts import Texts

__all__ = ["DuplicateAnswers", "DuplicatePrompts", "ExactDuplicates"]


class _Keyed(Check):
    """A check that compares one key per row at the end. Memory: 16 bytes a row."""

    apart = True

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self.keys = array("Q")
        self.rows = array("Q")

    def note(self, index: int, key: int) -> None:
        """Keep the key of a row."""
        self.keys.append(key)
        self.rows.append(index)


@register
class ExactDuplicates(_Keyed):
    """The same prompt with the same answers and the same label."""

    name = "exact-duplicates"
    about = "rows that repeat an earlier row (same prompt, answers and label after normalisation)"
    fix = "Keep the first of each: cai filter --drop exact-duplicates."

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        self.note(sample.index, row_key(sample, texts))

    def end(self) -> Level | None:
        """See `Check.end`."""
        for row, first in later_ones(self.keys, self.rows):
            place = self.book.places[first]
            self.hit(row, f"repeats {place}", other=place)
        return None


@register
class DuplicatePrompts(_Keyed):
    """Groups of rows with one prompt. Several pairs per prompt are normal; many weigh it more.

    Memory: 24 bytes a row.
    """

    name = "duplicate-prompts"
    about = "rows whose prompt an earlier row of the same kind has"
    fix = (
        "Fine where several pairs of each prompt are meant. Else keep one: "
        "cai filter --drop duplicate-prompts."
    )
    level = "info"

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self.prompts = array("Q")

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        self.note(sample.index, key_of(sample.kind, f"{texts.prompt_key:x}"))
        self.prompts.append(texts.prompt_key)

    def end(self) -> Level | None:
        """See `Check.end`."""
        for row, first in later_ones(self.keys, self.rows):
            place = self.book.places[first]
            self.hit(row, f"has the prompt of {place}", other=place)
        return None

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        sizes = np.array([len(group) for group in groups_of(self.keys)], dtype=np.int64)
        if len(sizes):
            # A run has rows of several kinds for one prompt.
            yield "Different prompts", f"{len(set(self.prompts)):,}"
            yield "Rows per prompt", f"median {np.median(sizes):g}, most {sizes.max():,}"
            largest = np.sort(sizes)[::-1][: max(1, len(sizes) // 100)].sum() / sizes.sum()
            yield "Rows of the largest 1 % of prompts", f"{largest:.1%}"


@register
class DuplicateAnswers(_Keyed):
    """One answer to several prompts: canned answers."""

    name = "duplicate-answers"
    about = "rows with an answer that was given to another prompt"
    fix = "Look whether the answer fits both prompts; canned answers teach a policy to be canned."
    level = "info"

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self.prompts = array("Q")
        self._most = 0

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        for key in set(texts.answer_keys):
            self.note(sample.index, key)
            self.prompts.append(texts.prompt_key)

    def end(self) -> Level | None:
        """See `Check.end`."""
        for group in groups_of(self.keys):
            if len(group) == 1:
                continue
            first = group[0]
            others = [i for i in group[1:] if self.prompts[i] != self.prompts[first]]
            self._most = max(self._most, len({self.prompts[i] for i in group}))
            place = self.book.places[self.rows[first]]
            for i in others:
                self.hit(self.rows[i], f"has an answer of {place}", other=place)
        return None

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        if self._most > 1:
            yield "Most prompts with one answer", f"{self._most:,}"


def row_key(sample: Sample, texts: Texts) -> int:
    """Prompt, answers and label of a row; the order in which the answers stand does not count."""
    chosen = "" if sample.chosen is None else f"{texts.answer_keys[sample.chosen]:x}"
    ratings = sample.ratings or (0.0,) * len(sample.answers)
    rated = sorted(
        f"{key:x} {rating}" for key, rating in zip(texts.answer_keys, ratings, strict=True)
    )
    return key_of(sample.kind, f"{texts.prompt_key:x}", chosen, *rated)
