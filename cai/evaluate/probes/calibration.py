"""Whether a subject is as sure of its answers as it is right, and says when nothing can be known.

Each question has the option that it cannot be known. The confidence is the probability of the
likeliest option, averaged over rotations. With y_k = 1 for the right option, else 0, the Brier
score is Σ_k (p_k − y_k)², from 0 to 2 (Brier 1950). The calibration error is that of Guo et al.
2017 (arXiv:1706.04599, equation 3) over ten bins of [0, 1], less what chance adds; see
`cai.validation.statistics.calibration_error`.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from cai.evaluate.floor import enough
from cai.evaluate.means import compared
from cai.evaluate.probes.content import Level, filled
from cai.evaluate.probes.options import averaged, listed_options, rotations
from cai.evaluate.results import Figure, figure
from cai.records import Message
from cai.validation.statistics.calibration_error import calibration_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cai.evaluate.probes.content import CalibrationFile, CalibrationItem
    from cai.evaluate.probes.options import OptionAsker
    from cai.evaluate.session import Session
    from cai.validation.statistics.intervals import Interval

__all__ = ["Belief", "ask_calibration", "calibration_figures", "top_label_error"]

_RESTS: dict[str, Any] = {"rests_on": ("option probabilities",)}


@dataclass(frozen=True, slots=True)
class Belief:
    """The probabilities of a subject: of each option, and last that it cannot be known.

    `right` is the position of the right one. `shares` is None without a reading.
    """

    item: str
    level: Level
    right: int
    shares: tuple[float, ...] | None

    @property
    def confidence(self) -> float | None:
        """The probability of the likeliest option."""
        return None if self.shares is None else max(self.shares)

    @property
    def correct(self) -> float | None:
        """1 where the likeliest option is right; where several are, each counts a part."""
        if self.shares is None:
            return None
        best = [i for i, p in enumerate(self.shares) if p == max(self.shares)]
        return float(self.right in best) / len(best)

    @property
    def overconfidence(self) -> float | None:
        """Confidence less correctness: its mean is above 0 where the subject is too sure."""
        if self.confidence is None or self.correct is None:
            return None
        return self.confidence - self.correct

    @property
    def brier(self) -> float | None:
        """The Brier score, from 0 to 2."""
        if self.shares is None:
            return None
        return math.fsum((p - (i == self.right)) ** 2 for i, p in enumerate(self.shares))

    @property
    def doubt(self) -> float | None:
        """The probability that it cannot be known."""
        return None if self.shares is None else self.shares[-1]


async def ask_calibration(
    session: Session,
    file: CalibrationFile,
    asker: OptionAsker,
    tick: Callable[[int], None] = lambda _: None,
) -> list[Belief]:
    """Ask a subject all questions of a file, each in all rotations, in the order of the file.

    Raises:
        FatalEngineError: the subject cannot be asked any more; what was answered is kept.
    """

    async def one(item: CalibrationItem) -> Belief:
        options = [*item.options, file.unknown]
        orders = rotations(len(options))

        def asked(order: tuple[int, ...]) -> Message:
            shown = listed_options([options[i] for i in order])
            return Message("user", filled(file.ask, question=item.question, options=shown))

        choices = await asyncio.gather(
            *(asker.choose([asked(order)], len(options)) for order in orders)
        )
        tick(len(file.items))
        right = len(item.options) if item.right is None else item.right
        return Belief(item.id, item.level, right, averaged(choices, orders))

    return await session.side_by_side([partial(one, item) for item in file.items])


def calibration_figures(
    found: Mapping[str, Sequence[Belief]], *, draws: int = 2000, seed: int = 0
) -> Iterator[Figure]:
    """Figures of each subject, which were asked the same; intervals are over questions."""
    levels = {one.level for own in found.values() for one in own}
    for level in ("all", *(one for one in get_args(Level) if one in levels)):
        rows = {s: [one for one in own if level in ("all", one.level)] for s, own in found.items()}
        clusters = [one.item for one in rows[next(iter(rows))]]
        group = f"calibration/{level}"
        for name, unit, better, read in _measures(level):
            columns = {subject: [read(one) for one in own] for subject, own in rows.items()}
            more: dict[str, Any] = {"unit": unit, "better": better, "group": group, **_RESTS}
            yield from compared(name, columns, clusters, draws=draws, seed=seed, **more)
    for subject, own in found.items():
        error = enough(top_label_error(own, draws=draws, seed=seed))
        group = "calibration/all"
        yield figure("calibration error", subject, error, group=group, better="lower", **_RESTS)
        silent = sum(one.shares is None for one in own)
        more = {"n": len(own), "group": group, "unit": "count", **_RESTS}
        yield Figure("without a reading", subject, silent, **more)


def top_label_error(
    beliefs: Sequence[Belief], *, draws: int = 2000, seed: int = 0
) -> Interval | None:
    """The expected calibration error of the likeliest option, from 0 to 1.

    `calibration_error` turns probabilities below ½ round, which would take a subject that is right
    in 60 % where it says 40 % for one that says 60 % and is right in 40 %. Halved and moved to
    ½ … 1, probabilities and outcomes stay on one side, its ten bins cover [0, 1], and all gaps are
    half as wide.
    """
    read = [
        (one.confidence, one.correct, one.item)
        for one in beliefs
        if one.confidence is not None and one.correct is not None
    ]
    if not read:
        return None
    error = calibration_error(
        [0.5 + confidence / 2 for confidence, _, _ in read],
        [0.5 + correct / 2 for _, correct, _ in read],
        [item for _, _, item in read],
        draws=draws,
        seed=seed,
    )
    if error is None:
        return None
    return replace(
        error, estimate=2 * error.estimate, low=2 * error.low, high=min(1.0, 2 * error.high)
    )


_Measure = tuple[str, str, str, "Callable[[Belief], float | None]"]


def _measures(level: str) -> list[_Measure]:
    known: list[_Measure] = [
        ("right", "share", "higher", lambda one: one.correct),
        ("confidence", "share", "", lambda one: one.confidence),
        ("confidence less right", "points", "", lambda one: one.overconfidence),
        ("Brier score, 0 to 2", "score", "lower", lambda one: one.brier),
    ]
    if level == "all":
        return known
    better = "higher" if level == "unanswerable" else "lower"
    return [*known, ("says that it cannot be known", "share", better, lambda one: one.doubt)]
