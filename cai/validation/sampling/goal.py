"""What a sample must be able to show, and the size and the sentence that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.errors import UsageError
from cai.validation.sampling.size import labels_for_power, labels_for_width

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.config import ValidationConfig
    from cai.validation.sampling.allocation import Allocation

__all__ = ["Goal", "Power", "goal_of", "size_of"]


@dataclass(frozen=True, slots=True)
class Power:
    """A goal: tell the expected accuracy from one of `null` or less, with probability `power`."""

    null: float
    power: float = 0.8


@dataclass(frozen=True, slots=True)
class Goal:
    """`needed` labels that are independent and weigh the same; or just as many when `fixed`."""

    needed: int
    sentence: str
    fixed: bool = False


def goal_of(settings: ValidationConfig, labels: int | None, power: Power | None) -> Goal:
    """The one goal that was given, or else the interval's width in the settings.

    Raises:
        UsageError: two goals were given, or one that cannot be reached.
    """
    if labels is not None and power is not None:
        raise UsageError("Got a number of labels and a power. Name one of the two.")
    if labels is not None:
        return Goal(labels, f"{labels:,} labels were asked for", fixed=True)
    accuracy = settings.expected_accuracy
    if power is not None and power.null >= accuracy:
        raise UsageError(
            f"Got an accuracy of {power.null:g} that is not good enough, and an expected one of "
            f"{accuracy:g}. The first must lie below the second."
        )
    right = f"if {100 * accuracy:g} % of the AI labels are right"
    try:
        if power is None:
            return Goal(
                labels_for_width(settings.half_width, accuracy),
                "The 95 % interval of the label accuracy shall be no wider than "
                f"± {settings.half_width:g} {right}",
            )
        return Goal(
            labels_for_power(power.null, accuracy, power=power.power),
            f"The 95 % interval of the label accuracy shall lie above {100 * power.null:g} % with "
            f"a probability of {power.power:g} {right}",
        )
    except ValueError as error:
        raise UsageError(f"No number of labels reaches this goal: {error}.") from error


def size_of(goal: Goal, allocation: Allocation, say: Callable[[str], None]) -> tuple[int, str]:
    """How many pairs to draw, and the sentence that says why.

    Raises:
        UsageError: fewer labels were asked for than tell how exact an estimate is.
    """
    needed, pairs = goal.needed, allocation.most
    if goal.fixed:
        if needed < allocation.least:
            raise UsageError(
                f"Got {needed} labels. Allowed: {allocation.least} or more; with fewer, nothing "
                "tells how exact an estimate is."
            )
        if needed <= pairs:
            return needed, f"{goal.sentence}."
        say(f"{goal.sentence}, and there are {pairs:,} pairs: all are drawn.")
        return pairs, f"{goal.sentence}; {pairs:,} pairs are all there are."
    size = allocation.size_for(needed)
    worth = allocation.worth(size)
    sentence = f"{goal.sentence}: {needed:,} independent labels"
    if worth >= needed:
        return size, f"{sentence}, or {size:,} of these."
    say(
        f"The goal needs {needed:,} independent labels. All {pairs:,} pairs are drawn, and are "
        f"worth {worth:,.0f}; more held-out prompts would bring it nearer."
    )
    return size, f"{sentence}. All {pairs:,} pairs are worth {worth:,.0f} of them."
