"""Counting a data set: figures with their sums by prompt, and the label of each pair.

Memory: about 400 bytes for each prompt and 200 for each pair.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cai.evaluate.floor import TooFew, enough
from cai.validation.statistics.intervals import wilson
from cai.validation.statistics.sums import SumBootstrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from cai.compare.pairs import Label, SeenPair, SeenRow
    from cai.validation.statistics.intervals import Interval

__all__ = ["FIGURES", "DataSet"]

FIGURES: Mapping[str, str] = {
    "decided pairs": "share",
    "ties": "share",
    "p of the preferred answer, mean": "share",
    "judge prefers the answer shown first": "share",
    "revision preferred": "share",
    "preferred answer is the longer one": "share",
    "length of the preferred answer": "characters",
    "length of the other answer": "characters",
}
"""What is told of a data set as a mean over its pairs, and its unit."""

_COUNT = len(FIGURES)


class DataSet:
    """What was seen in a run, folder or file.

    `labels` has the label and p of each pair whose two texts differ, by its key; of pairs that come
    again the first counts, and `again` counts the others.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.kinds: Counter[str] = Counter()
        self.tags: Counter[str] = Counter()
        self.principles: Counter[str] = Counter()
        self.outcomes: Counter[Label] = Counter()
        self.labels: dict[int, tuple[Label, float | None, int]] = {}
        self.pairs = self.again = 0
        self._sums: dict[int, list[float]] = {}

    @classmethod
    def of(cls, rows: Iterable[SeenRow]) -> DataSet:
        """Count rows, one at a time."""
        made = cls()
        for row in rows:
            made.add(row)
        return made

    @property
    def rows(self) -> int:
        """Rows of all kinds."""
        return self.kinds.total()

    @property
    def decided(self) -> int:
        """Pairs with a winner."""
        return self.outcomes["first"] + self.outcomes["second"]

    @property
    def prompts(self) -> frozenset[int]:
        """Ids of all prompts."""
        return frozenset(self._sums)

    def add(self, row: SeenRow) -> None:
        """Count one row."""
        sums = self._sums.setdefault(row.prompt, [0.0] * (2 * _COUNT))
        self.kinds[row.kind] += 1
        self.tags.update(set(row.tags))
        for pair in row.pairs:
            self.pairs += 1
            self.outcomes[pair.label] += 1
            self.principles.update(set(pair.principles))
            self.again += pair.key in self.labels
            self.labels.setdefault(pair.key, (pair.label, pair.p, row.prompt))
            for place, (top, bottom) in enumerate(_parts(pair)):
                sums[2 * place] += top
                sums[2 * place + 1] += bottom

    def intervals(self, *, draws: int = 2000) -> dict[str, Interval | None]:
        """Each figure with its interval over prompts; None where too few prompts have a value."""
        if not self._sums:
            return dict.fromkeys(FIGURES)
        table = np.array(list(self._sums.values()))
        bootstrap = SumBootstrap(list(self._sums), draws=draws)

        def interval(place: int, unit: str) -> Interval | None:
            found = enough(bootstrap.interval(table[:, 2 * place : 2 * place + 2], _ratio))
            if found is None or isinstance(found, TooFew):
                return None
            return _share(found) if unit == "share" else found

        return {name: interval(at, unit) for at, (name, unit) in enumerate(FIGURES.items())}


def _parts(pair: SeenPair) -> list[tuple[float, float]]:
    """Top and bottom of each figure, in the order of `FIGURES`."""
    decided = pair.label in ("first", "second")
    verdict = decided or pair.label == "tie"
    won = 0 if pair.label == "first" else 1
    chosen, rejected = pair.lengths[won], pair.lengths[1 - won]
    known = pair.p is not None and verdict
    slots = [p for p in pair.slots if p != 0.5]
    return [
        (decided, verdict),
        (verdict and not decided, verdict),
        (max(pair.p or 0.0, 1.0 - (pair.p or 0.0)) if known else 0.0, known),
        (sum(p > 0.5 for p in slots), len(slots)),
        (pair.revised == pair.label, bool(pair.revised) and decided),
        (decided and chosen > rejected, decided and chosen != rejected),
        (chosen if decided else 0, decided),
        (rejected if decided else 0, decided),
    ]


def _share(found: Interval) -> Interval:
    """Within 0 and 1; Wilson's interval where all are alike, and no draw differs from another."""
    if found.estimate in (0.0, 1.0):
        return wilson(found.estimate * found.n, found.n)
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    top, bottom = sums[:, 0], sums[:, 1]
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
