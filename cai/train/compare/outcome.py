"""What came of one training, as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from cai.train.compare.timing import Mark, Reached, reach_accuracy, reach_gain, timing_of
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.train.compare.jobs import Done
    from cai.train.compare.plan import Arm
    from cai.train.compare.timing import Timing

__all__ = ["Accuracy", "Divergence", "Gain", "Outcome", "gain_of", "outcome_of"]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A share of pairs with the ends of its 95 % interval."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Divergence:
    """KL(π ‖ π_ref) per answer in nats, estimated from answers of π.

    Args:
        k1: mean of k1, which is unbiased and may be negative; None for an infinite one.
        k1_error: its standard error.
        k3: mean of k3, which is unbiased and never negative; None for an infinite one.
        answers: how many the means are over.
    """

    k1: float | None
    k1_error: float | None
    k3: float | None
    answers: int


@dataclass(frozen=True, slots=True)
class Gain:
    """Mean rewards of answers to the same prompts before and after a training.

    `error` is the standard error of the mean difference, paired by prompt.
    """

    before: float
    after: float
    error: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row of the comparison; what is None was not measured.

    Args:
        name: of the arm.
        steps: optimiser steps.
        examples: pairs or answers that were learned from.
        seconds: of the whole training, with loading and evaluation.
        peak_mb: most memory.
        over_mb: the same above a process that only loads the model.
        per_step: seconds of an optimiser step, the median.
        per_example: seconds of a pair or an answer.
        target: whether and when it was reached.
        accuracy: on pairs that were not trained on.
        divergence: from the untrained model; a reward model has none.
        gain: of the reward; None without a reward model.
        others: share of the processors that other processes took while it was trained.
    """

    name: str
    steps: int
    examples: int
    seconds: float
    peak_mb: float | None
    over_mb: float | None
    per_step: float | None
    per_example: float | None
    target: Reached
    accuracy: Accuracy
    divergence: Divergence | None = None
    gain: Gain | None = None
    others: float | None = None


def outcome_of(
    arm: Arm, bare: Done, before: Done | None, trained: Done, after: Done | None, target: float
) -> Outcome:
    """Put together what the jobs of an arm found.

    Args:
        arm: of the comparison.
        bare: the model, loaded and no more.
        before: the untrained model, measured; None where nothing but a reward model is trained.
        trained: the training.
        after: the policy, measured; None for a reward model.
        target: accuracy to be reached.
    """
    found, figures = trained.found, trained.found["figures"]
    marks = [Mark(**mark) for mark in found["marks"]]
    # The reference of dpo looks at both answers of a pair before the first step; that of kto at
    # each answer and at one to another prompt.
    pairs = arm.method == "dpo" and arm.config.dpo.loss not in ("orpo", "simpo")
    needs_reference = pairs or arm.method == "kto"
    earlier = before.found["seconds_per_pair"] if before and needs_reference else 0.0
    timing = timing_of(marks, arm, before=earlier)
    if after is None:
        names = ("accuracy", "accuracy_low", "accuracy_high")
        accuracy = Accuracy(*(figures[name] for name in names))
    else:
        wins = after.found["wins"]
        share = wilson(math.fsum(wins), len(wins))
        accuracy = Accuracy(share.estimate, share.low, share.high)
    peak = trained.peak_mb
    rewards = (before, after) if before and after and after.found["rewards"] else None
    return Outcome(
        name=arm.name,
        steps=found["steps"],
        examples=found["steps"] // arm.steps * arm.examples,
        seconds=found["seconds"],
        peak_mb=peak,
        over_mb=peak - bare.peak_mb if peak is not None and bare.peak_mb is not None else None,
        per_step=timing.per_step if timing else None,
        per_example=timing.per_example if timing else None,
        target=_reached(arm, marks, timing, target, accuracy),
        accuracy=accuracy,
        divergence=Divergence(**after.found["divergence"]) if after else None,
        gain=gain_of(*(done.found["rewards"] for done in rewards)) if rewards else None,
        others=trained.others,
    )


def gain_of(before: Sequence[float], after: Sequence[float]) -> Gain:
    """The gain of a reward over n prompts.

    Args:
        before: (n,) rewards of the untrained model's answers.
        after: (n,) rewards of the trained one's, in the same order.
    """
    differences = [b - a for a, b in zip(before, after, strict=True)]
    error = stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
    return Gain(fmean(before), fmean(after), error)


def _reached(
    arm: Arm, marks: Sequence[Mark], timing: Timing | None, target: float, accuracy: Accuracy
) -> Reached:
    if arm.online:
        gain = math.log(target / (1.0 - target))
        return reach_gain(marks, timing, gain, arm.examples // arm.rows)
    found = reach_accuracy(marks, timing, target)
    if found.outcome != "not measured" or timing is None:
        return found
    # sft has no accuracy while it trains: its end is looked at.
    if accuracy.share >= target:
        return Reached("reached", max(timing.until.values()))
    return Reached("not reached")
