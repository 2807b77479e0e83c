"""Labels that contradict each other."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from cai.quality.check import Check, register
from cai.quality.grouping import groups_of
from cai.quality.words import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cai.quality.check import Book, Options
    from cai.quality.records import Level, Sample
    from cai.quality.texts import Texts

__all__ = ["Contradictions", "MixedLabels"]


@register
class Contradictions(Check):
    """The same prompt and the same two answers with swapped labels, or one answer rated twice.

    Both sides are dropped: nothing in the file says which label is right.
    """

    name = "contradictions"
    about = "rows whose label another row of the same prompt and answers contradicts"
    fix = "Let a person decide, or drop both sides: cai filter --drop contradictions."
    level = "error"
    apart = True

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._subjects = array("Q")
        self._labels = array("Q")
        self._exact = array("Q")
        self._rows = array("Q")
        self._written_alike = 0

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        if sample.kind == "rating":
            label = key_of(str(sample.ratings))
        elif sample.kind == "comparison" and sample.chosen is not None:
            label = texts.answer_keys[sample.chosen]
        else:
            return
        self.seen += 1
        if sample.kind == "comparison" and len(set(texts.answer_keys)) == 1:
            return
        answers = sorted(f"{key:x}" for key in texts.answer_keys)
        self._subjects.append(key_of(sample.kind, f"{texts.prompt_key:x}", *answers))
        self._labels.append(label)
        said = [turn.content for turn in sample.prompt]
        self._exact.append(key_of(*said, *sorted(sample.answers)))
        self._rows.append(sample.index)

    def end(self) -> Level | None:
        """See `Check.end`."""
        for group in groups_of(self._subjects):
            if len({self._labels[i] for i in group}) == 1:
                continue
            self._written_alike += len(group) if len({self._exact[i] for i in group}) == 1 else 0
            for i, against in _opposed(group, self._labels):
                place = self.book.places[self._rows[against]]
                self.hit(self._rows[i], f"{place} has the opposite label", other=place)
        return None

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        if self.hits:
            yield "Letter by letter the same texts", f"{self._written_alike:,} rows"
            yield "The same only after normalisation", f"{len(self.hits) - self._written_alike:,}"


@register
class MixedLabels(Check):
    """An answer that is chosen in one row of its prompt and rejected in another.

    That is no error in itself: of three answers, the middle one wins once and loses once.
    """

    name = "mixed-labels"
    about = "rows with an answer that is chosen here and rejected in another row of its prompt"
    fix = "Normal in rankings of three or more answers; else look at the rows and settle them."
    level = "info"
    apart = True

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._answers = array("Q")
        self._won = array("b")
        self._rows = array("Q")

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        if sample.kind != "comparison" or sample.chosen is None:
            return
        self.seen += 1
        for i, answer in enumerate(texts.answer_keys):
            self._answers.append(key_of(f"{texts.prompt_key:x} {answer:x}"))
            self._won.append(i == sample.chosen)
            self._rows.append(sample.index)

    def end(self) -> Level | None:
        """See `Check.end`."""
        for group in groups_of(self._answers):
            won = {self._won[i] for i in group}
            if len(won) == 1 or len({self._rows[i] for i in group}) == 1:
                continue
            for i, against in _opposed(group, self._won):
                place = self.book.places[self._rows[against]]
                self.hit(self._rows[i], f"{place} has an answer of it the other way", other=place)
        return None


def _opposed(group: list[int], labels: array[int]) -> Iterator[tuple[int, int]]:
    """Each position of a group with the first position that has another label."""
    firsts: dict[int, int] = {}
    for i in group:
        firsts.setdefault(labels[i], i)
    for i in group:
        yield i, next(first for label, first in firsts.items() if label != labels[i])
