"""What the times of a training's log rows say: seconds per step, and until a target was reached."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cai.train.compare.plan import Arm

__all__ = ["Mark", "Reached", "Timing", "mark_of", "reach_accuracy", "reach_gain", "timing_of"]

# A mean of fewer rewards moves by more than the gains that are looked for.
_ANSWERS = 64


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of a log and when it came.

    Args:
        seconds: since some beginning.
        step: optimiser steps so far.
        trained: whether the row closes optimiser steps; otherwise an evaluation or a look.
        accuracy: on dev pairs, where it was measured.
        reward: mean of the answers that were just learned from.
    """

    seconds: float
    step: int
    trained: bool
    accuracy: float | None = None
    reward: float | None = None


def mark_of(seconds: float, row: Mapping[str, float]) -> Mark:
    """The mark of a row of any trainer's log."""
    return Mark(
        seconds=seconds,
        step=int(row["step"]),
        trained="loss" in row or "reward" in row,
        accuracy=row.get("eval_accuracy"),
        reward=row.get("reward"),
    )


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of a training, without loading, evaluation and the first steps.

    Args:
        per_step: of an optimiser step, the median.
        per_example: of a pair or an answer.
        until: by the number of steps, the seconds that they took together.
    """

    per_step: float
    per_example: float
    until: dict[int, float]


@dataclass(frozen=True, slots=True)
class Reached:
    """Whether a target was reached, and after how many seconds of training."""

    outcome: Literal["reached", "not reached", "not measured"]
    seconds: float | None = None
    why: str = ""


def timing_of(marks: Sequence[Mark], arm: Arm, *, before: float = 0.0) -> Timing | None:
    """Seconds of a training from the marks of its log.

    A step takes the time from the row before, whatever that was, to its own: evaluations, whose
    rows lie between, are left out. Steps on what was drawn at once belong together, since only the
    first of them samples. The first such steps warm up: they count as the median ones.

    Args:
        marks: in the order of the log.
        arm: says how many rows and steps belong together, and how many examples they share.
        before: seconds per example that were spent before the first step.

    Returns:
        None where there are too few rows.
    """
    took = [b.seconds - a.seconds for a, b in pairwise(marks) if b.trained]
    if marks and marks[0].trained:
        took.insert(0, 0.0)
    sets = [took[i : i + arm.rows] for i in range(arm.rows, len(took), arm.rows)]
    whole = [math.fsum(rows) for rows in sets if len(rows) == arm.rows]
    if not whole:
        return None
    usual, extra = median(whole), before * arm.examples
    took[: arm.rows] = [usual / arm.rows] * arm.rows
    until, spent = {}, 0.0
    for mark, seconds in zip((m for m in marks if m.trained), took, strict=True):
        spent += seconds + extra / arm.rows
        until[mark.step] = spent
    return Timing(usual / arm.steps, usual / arm.examples + before, until)


def reach_accuracy(marks: Sequence[Mark], timing: Timing | None, target: float) -> Reached:
    """When the accuracy on dev pairs first was the target or more.

    Args:
        marks: of the log.
        timing: of the training.
        target: from 0 to 1.
    """
    measured = [mark for mark in marks if mark.accuracy is not None]
    if not measured or timing is None:
        return Reached("not measured", why="no dev pairs")
    for mark in measured:
        if mark.accuracy is not None and mark.accuracy >= target:
            return Reached("reached", timing.until[mark.step])
    return Reached("not reached")


def reach_gain(marks: Sequence[Mark], timing: Timing | None, gain: float, answers: int) -> Reached:
    """When the reward of recent answers first was higher than that of the first ones by the gain.

    Both means are over rows with at least 64 answers, and no row is in both.

    Args:
        marks: of the log.
        timing: of the training.
        gain: on the scale of the reward.
        answers: per row.
    """
    rows = [(mark.step, mark.reward) for mark in marks if mark.reward is not None]
    window = math.ceil(_ANSWERS / answers)
    if len(rows) < 2 * window or timing is None:
        return Reached("not measured", why="too few answers")
    rewards = [reward for _, reward in rows]
    first = fmean(rewards[:window])
    for end in range(2 * window, len(rows) + 1):
        if fmean(rewards[end - window : end]) - first >= gain:
            return Reached("reached", timing.until[rows[end - 1][0]])
    return Reached("not reached")
