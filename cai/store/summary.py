"""Counts and rates of a run, gathered in one pass with memory that does not grow."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.store.judge_tally import JudgeSummary, JudgeTally
from cai.store.statistics import Histogram, Rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cai.records import Pair, Row, Split

__all__ = ["JudgeSummary", "LengthSummary", "RunSummary", "Summariser", "summarise"]


@dataclass(frozen=True, slots=True)
class LengthSummary:
    """Length against preference, over decided pairs, in characters.

    `chosen_longer` is the share in which the chosen answer is strictly longer.
    """

    chosen_longer: Rate
    mean_chosen: float | None
    mean_rejected: float | None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Counts and rates of finished rows.

    `rounds` counts revisions by outcome for each round, from 1. `outcomes` counts the verdicts of
    each kind of pair; `not_judged` counts, by their note, the pairs that have no verdict.
    `set_aside` counts, by their note, the judged pairs of which no preference is made.
    `preferred` says who won: for `revision` pairs `revision`, `original` or `tie`; for `contrast`
    pairs `constitution`, `plain` or `tie`; for `samples` pairs `first`, `second` or `tie`.
    `contrast` counts the answers under the constitution by outcome. `certainty` holds |p - 0.5| of
    all pairs with a probability.
    """

    rows: int
    splits: Mapping[Split, int]
    samples: Mapping[str, int]
    unusable_samples: int
    revisions: Mapping[str, int]
    rounds: Mapping[int, Mapping[str, int]]
    pairs: Mapping[str, int]
    outcomes: Mapping[str, Mapping[str, int]]
    not_judged: Mapping[str, int]
    set_aside: Mapping[str, int]
    preferred: Mapping[str, Mapping[str, int]]
    contrast: Mapping[str, int]
    certainty: Histogram
    judge: JudgeSummary
    length: LengthSummary

    @property
    def identical_pairs(self) -> int:
        """Pairs of two equal texts, which are not judged."""
        return self.not_judged.get("identical", 0)

    @property
    def judged_pairs(self) -> int:
        """Pairs with a verdict, whatever it is."""
        return sum(self.pairs.values()) - sum(self.not_judged.values())

    @property
    def decided_pairs(self) -> int:
        """Pairs with a winner."""
        return self.length.chosen_longer.n

    @property
    def revision_preferred(self) -> Rate:
        """Share of decided `revision` pairs that the revision won."""
        won = self.preferred.get("revision", {})
        return Rate(won.get("revision", 0), won.get("revision", 0) + won.get("original", 0))

    @property
    def failed_revisions(self) -> Rate:
        """Share of `revision` pairs with a verdict, ties included, that the original won."""
        won = self.preferred.get("revision", {})
        return Rate(won.get("original", 0), sum(won.values()))


class Summariser:
    """Takes rows one at a time; `result` may be asked at any moment."""

    def __init__(self) -> None:
        """Begin with no rows."""
        self._rows = 0
        self._splits: Counter[Split] = Counter()
        self._samples: Counter[str] = Counter()
        self._unusable = 0
        self._rounds: dict[int, Counter[str]] = {}
        self._pairs: Counter[str] = Counter()
        self._outcomes: dict[str, Counter[str]] = {}
        self._preferred: dict[str, Counter[str]] = {}
        self._not_judged: Counter[str] = Counter()
        self._set_aside: Counter[str] = Counter()
        self._contrast: Counter[str] = Counter()
        self._certainty = Histogram(0.5)
        self._judge = JudgeTally()
        self._decided = self._longer = self._chosen = self._rejected = 0

    def add(self, row: Row, split: Split) -> None:
        """Count one finished row."""
        self._rows += 1
        self._splits[split] += 1
        self._samples.update(sample.outcome for sample in row.samples)
        self._contrast.update(answer.outcome for answer in row.contrast)
        self._unusable += sum(not sample.text for sample in row.samples)
        for chain in row.revisions:
            for revision in chain:
                self._rounds.setdefault(revision.round, Counter())[revision.outcome] += 1
        for pair in row.pairs:
            self._add_pair(pair)

    def _add_pair(self, pair: Pair) -> None:
        self._pairs[pair.kind] += 1
        if pair.verdict is None:
            self._not_judged[pair.note] += 1
            return
        if pair.note:
            self._set_aside[pair.note] += 1
        outcome = pair.verdict.outcome
        self._outcomes.setdefault(pair.kind, Counter())[outcome] += 1
        winner = _winner(pair)
        if winner:
            self._preferred.setdefault(pair.kind, Counter())[winner] += 1
        if pair.p is not None:
            self._certainty.add(abs(pair.p - 0.5))
        for verdict in pair.verdict.principles:
            self._judge.add(verdict)
        if pair.verdict.decided:
            first, second = len(pair.first), len(pair.second)
            chosen, rejected = (first, second) if outcome == "first" else (second, first)
            self._decided += 1
            self._longer += chosen > rejected
            self._chosen += chosen
            self._rejected += rejected

    def result(self) -> RunSummary:
        """The summary of the rows so far."""
        revisions: Counter[str] = Counter()
        for by_outcome in self._rounds.values():
            revisions.update(by_outcome)
        n = self._decided
        return RunSummary(
            rows=self._rows,
            splits=dict(self._splits),
            samples=dict(self._samples),
            unusable_samples=self._unusable,
            revisions=dict(revisions),
            rounds={number: dict(self._rounds[number]) for number in sorted(self._rounds)},
            pairs=dict(self._pairs),
            outcomes={kind: dict(counts) for kind, counts in self._outcomes.items()},
            not_judged=dict(self._not_judged),
            set_aside=dict(self._set_aside),
            preferred={kind: dict(counts) for kind, counts in self._preferred.items()},
            contrast=dict(self._contrast),
            certainty=self._certainty.copy(),
            judge=self._judge.result(),
            length=LengthSummary(
                chosen_longer=Rate(self._longer, n),
                mean_chosen=self._chosen / n if n else None,
                mean_rejected=self._rejected / n if n else None,
            ),
        )


def summarise(rows: Iterable[tuple[Row, Split]]) -> RunSummary:
    """Count finished rows and the splits they are in, one at a time."""
    summariser = Summariser()
    for row, split in rows:
        summariser.add(row, split)
    return summariser.result()


def _winner(pair: Pair) -> str:
    """Who won, in the words of the kind of pair; empty when the verdict is no label."""
    outcome = pair.verdict.outcome if pair.verdict else ""
    if outcome not in ("first", "second"):
        return outcome if outcome == "tie" else ""
    if pair.kind == "samples":
        return outcome
    name = pair.first_name if outcome == "first" else pair.second_name
    if pair.kind == "contrast":
        return "constitution" if "constitution" in name else "plain"
    return "revision" if "revision" in name else "original"
