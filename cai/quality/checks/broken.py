"""Rows that cannot be used at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.quality.check import Check, register

if TYPE_CHECKING:
    from cai.quality.records import Sample
    from cai.quality.texts import Texts

__all__ = ["BrokenRows", "IdenticalAnswers"]


@register
class BrokenRows(Check):
    """Rows that fit no format, and rows with an empty prompt or answer."""

    name = "broken-rows"
    about = "rows that cannot be read, or have an empty prompt or answer"
    fix = "Mend or drop these rows; a trainer stops at them or learns to say nothing."
    level = "error"
    broken = True

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        if sample.kind == "broken":
            self.hit(sample.index, f"cannot be read: {sample.problem}", sample.problem)
        elif not sample.question.strip():
            self.hit(sample.index, "the prompt is empty", "(an empty prompt)")
        elif not all(answer.strip() for answer in sample.answers):
            self.hit(sample.index, "an answer is empty")


@register
class IdenticalAnswers(Check):
    """Comparisons in which the chosen answer is also a rejected one."""

    name = "identical-answers"
    about = "comparisons of an answer with itself"
    fix = "Drop them: they teach nothing and blur the loss."
    level = "error"

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        if sample.kind != "comparison":
            return
        self.seen += 1
        if len(set(texts.answer_keys)) == 1:
            self.hit(sample.index, "both answers are the same text", sample.answers[0])
