"""Hints of inverted labels: another opinion prefers the rejected answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.quality.check import Check, register
from cai.quality.judged import ByJudge
from cai.quality.scorers import scores_of
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.quality.check import Book, Options
    from cai.quality.records import Level, Sample
    from cai.quality.texts import Texts

__all__ = ["LabelInversion"]

_BATCH = 64


@register
class LabelInversion(Check):
    """Comparisons in which the scorer or the judge finds the rejected answer the better one."""

    name = "label-inversion"
    about = "pairs whose rejected answer the scorer or the judge prefers"
    fix = (
        "Give a scorer with --scorer module:function, or a judge with --judge-config cai.yaml. "
        "Read the pairs: the label or the other opinion is wrong; how often a judge is, says "
        "cai judge bench. A rate above one half means that the columns are swapped."
    )

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._waiting: list[tuple[int, str, str, str]] = []
        self._ties = 0
        self._judge = ByJudge(options.second) if options.second else None

    @classmethod
    def ready(cls, options: Options) -> bool:
        """See `Check.ready`."""
        return options.scorer is not None or options.second is not None

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        if sample.kind != "comparison" or sample.target is None:
            return
        if self._judge:
            self._judge.see(sample)
            return
        self.seen += 1
        prompt = "\n\n".join(f"{turn.role}: {turn.content}" for turn in sample.prompt)
        for other in sample.others:
            self._waiting.append((sample.index, prompt, sample.target, other))
        if len(self._waiting) >= _BATCH:
            self._ask()

    def _ask(self) -> None:
        scorer = self.options.scorer
        if scorer is None or not self._waiting:
            return
        items = [(prompt, text) for _, prompt, *both in self._waiting for text in both]
        scores = scores_of(scorer, items)
        pairs = zip(self._waiting, scores[::2], scores[1::2], strict=True)
        for (index, _, target, _), chosen, rejected in pairs:
            self._ties += chosen == rejected
            if rejected > chosen:
                self.hit(index, f"scored {chosen:.3g}, the rejected one {rejected:.3g}", target)
        self._waiting.clear()

    def end(self) -> Level | None:
        """See `Check.end`."""
        self._ask()
        if self._judge:
            self._judge.ask()
            self.seen = self._judge.answered
            for row, p, target in self._judge.contradicted:
                reason = f"the judge gives the chosen answer p = {p:.2f}"
                self.hit(row, reason, f"p = {p:.2f}: {target}")
        if self.seen and wilson(len(self.hits), self.seen).low > 0.5:
            return "error"
        # Without an answer there is nothing wrong, and nothing right.
        return "info" if self._judge and self._judge.rows and not self.seen else None

    def close(self) -> None:
        """See `Check.close`."""
        if self._judge:
            self._judge.close()

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        if self.seen:
            share = wilson(len(self.hits), self.seen)
            yield (
                "Share",
                f"{share.estimate:.1%}, 95 % interval {share.low:.1%} to {share.high:.1%}",
            )
        if self._judge:
            yield from self._judge.figures()
        elif self.seen:
            yield "Equal scores", f"{self._ties:,}"
