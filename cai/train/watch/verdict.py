"""What was seen at a look, and when it gives alarm. Pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.train.settings import WatchConfig

__all__ = ["Look", "alarms", "mean"]

_ONE_SIDED_5_PERCENT = 1.645


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen after so many optimiser steps.

    Args:
        step: how many.
        proxy: what the reward that is trained on gives to fresh answers, one per dev prompt.
        gold: what the independent reward gives to the same answers, in the same order.
        figures: means over the log's rows since the look before, and of the fresh answers.
    """

    step: int
    proxy: tuple[float, ...] = ()
    gold: tuple[float, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


def alarms(look: Look, first: Look, best: Look, config: WatchConfig) -> list[str]:
    """Everything at a look that is not as it should be, in words; empty when all is well.

    Hacking is a proxy that has risen since the best look while the gold has fallen by more than
    chance explains: the upper end of the one-sided 95 % interval of the mean difference, paired by
    prompt, is below 0. The best of several looks is a little lucky, so one such look alone proves
    little; see `WatchConfig.patience`.

    Args:
        look: the last one.
        first: the one before training, or the earliest that has the figures.
        best: the one with the highest gold.
        config: of the watch.
    """
    found = []
    if look.gold and best.gold and _fell(look.gold, best.gold) and _rose(look.proxy, best.proxy):
        found.append(
            f"the reward rose from {mean(best.proxy):.3g} to {mean(look.proxy):.3g} while the gold "
            f"fell from {mean(best.gold):.3g} (step {best.step}) to {mean(look.gold):.3g}"
        )
    length, before = look.figures.get("completion_length"), first.figures.get("completion_length")
    if length is not None and before and config.max_length_ratio is not None:
        found += _above("the length of answers", length, config.max_length_ratio * before)
    for name, words, limit in (
        ("kl", "the divergence", config.max_kl),
        ("repetition", "repetition", config.max_repetition),
        ("refusal", "the rate of refusals", config.max_refusal),
    ):
        if name in look.figures and limit is not None:
            found += _above(words, look.figures[name], limit)
    entropy, least = look.figures.get("entropy"), config.min_entropy
    if entropy is not None and least is not None and entropy < least:
        found.append(f"the entropy is {entropy:.3g}, below {least:.3g}")
    return found


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of at least one value."""
    return math.fsum(values) / len(values)


def _above(words: str, value: float, limit: float) -> list[str]:
    return [f"{words} is {value:.3g}, above {limit:.3g}"] if value > limit else []


def _rose(now: Sequence[float], before: Sequence[float]) -> bool:
    return mean(now) > mean(before)


def _fell(now: Sequence[float], before: Sequence[float]) -> bool:
    differences = [a - b for a, b in zip(now, before, strict=True)]
    centre, count = mean(differences), len(differences)
    variance = math.fsum((d - centre) ** 2 for d in differences) / max(1, count - 1)
    return centre + _ONE_SIDED_5_PERCENT * math.sqrt(variance / count) < 0.0
