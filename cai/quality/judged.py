"""What a judge says of the labels of rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cai.errors import InputError
from cai.judge.aggregate import hard_label
from cai.quality.check import excerpt
from cai.quality.waiting import Waiting, contests_of
from cai.validation.statistics.intervals import wilson
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.loop.opinions import Opinion
    from cai.quality.opinions import SecondOpinion
    from cai.quality.records import Sample
    from cai.quality.waiting import Contest
    from cai.records import Pair, Prompt

__all__ = ["ByJudge"]

_MARGINS = (0.1, 0.25, 0.4)
"""At which contradicted rows are counted, beside the margin that was asked for."""
_REASONS = 5
"""Most reasons for silence that are shown; an engine's messages may be many."""


class ByJudge:
    """Collects labelled rows, asks about them at the end, and counts.

    A row with several losing answers is asked about each; what is worst for its label counts.
    """

    def __init__(self, second: SecondOpinion) -> None:
        """Begin with nothing; nobody is asked before `ask`."""
        self.rows = 0
        self.answered = 0
        self.contradicted: list[tuple[int, float, str]] = []
        """Row, p of its chosen answer and that answer's beginning; the surest contradiction
        first."""
        self._second = second
        self._waiting = Waiting(second.limit)
        self._silent: Counter[str] = Counter()
        self._said: Counter[str] = Counter()
        self._pairs = 0

    def see(self, sample: Sample) -> None:
        """Take a row with a label."""
        self.rows += 1
        try:
            contests = contests_of(sample)
        except InputError:
            self._silent["a prompt that does not end with a user turn"] += 1
            return
        if contests:
            self._waiting.add(contests)
        else:
            self._silent["answers that are equal or empty"] += 1

    def ask(self) -> None:
        """Ask about the rows that were taken, or the draw of them."""
        under_way: dict[int, Contest] = {}

        def pairs() -> Iterator[tuple[Prompt, Pair]]:
            for number, contest in enumerate(self._waiting):
                under_way[number] = contest
                yield contest.prompt, contest.pair

        worst: dict[int, tuple[float, str]] = {}
        for opinion in self._second.judge.opinions(pairs()) if self._waiting.rows else ():
            contest = under_way.pop(opinion.number)
            self._pairs += 1
            p = _p_of_chosen(opinion, contest)
            if p is None:
                self._silent[_silence(opinion)] += 1
            elif contest.row not in worst or p < worst[contest.row][0]:
                worst[contest.row] = p, excerpt(contest.chosen) if p < 0.5 else ""
        self.answered = len(worst)
        said = {row: hard_label(p, self._second.margin) for row, (p, _) in worst.items()}
        self._said = Counter(said.values())
        found = [(row, *worst[row]) for row, label in said.items() if label == "second"]
        self.contradicted = sorted(found, key=lambda one: (one[1], one[0]))

    def figures(self) -> Iterator[tuple[str, str]]:
        """Who was asked about what, and what else came of it."""
        yield "Judge", self._second.judge.name
        drawn = min(self._waiting.rows, self._second.limit or self._waiting.rows)
        how = f", drawn by hash from {self._waiting.rows:,}" if drawn < self._waiting.rows else ""
        yield "Asked about", f"{counted(drawn, 'row')}{how}, {counted(self._pairs, 'pair')}"
        agreed, contradicted = self._said["first"], self._said["second"]
        if agreed or contradicted:
            share = wilson(agreed, agreed + contradicted)
            # A judge that tosses a coin contradicts half of all labels, right or wrong.
            chance = share.low <= 0.5 <= share.high
            yield (
                "Agrees with the label",
                f"{share.estimate:.1%} of the {counted(agreed + contradicted, 'row')} where it "
                f"names a winner ({share.low:.1%} to {share.high:.1%})"
                + "; that is no more than chance, so its word says little of a row"
                * chance,
            )
        yield "No winner, p within the margin", counted(self._said["tie"], "row")
        surer = [
            f"{sum(hard_label(p, margin) == 'second' for _, p, _ in self.contradicted):,} with p "
            f"below {0.5 - margin:.2g}"
            for margin in _MARGINS
            if margin > self._second.margin
        ]
        if contradicted and surer:
            yield "Contradicts more surely", ", ".join(surer)
        for why, count in self._silent.most_common(_REASONS):
            yield f"No verdict: {why}", f"{count:,}"

    def close(self) -> None:
        """Give the temporary file back."""
        self._waiting.close()


def _p_of_chosen(opinion: Opinion, contest: Contest) -> float | None:
    p = opinion.verdict.p if opinion.verdict else None
    return p if p is None or contest.first else 1.0 - p


def _silence(opinion: Opinion) -> str:
    return opinion.verdict.outcome if opinion.verdict else opinion.problem
