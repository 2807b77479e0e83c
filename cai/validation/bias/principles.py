"""What each principle does to the verdicts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.store.statistics import Rate
from cai.validation.bias.means import share_interval
from cai.validation.bias.orders import credit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.validation.bias.records import JudgedPair, Under
    from cai.validation.statistics.intervals import Interval

__all__ = ["PrincipleInfluence", "principle_influence"]


@dataclass(frozen=True, slots=True)
class PrincipleInfluence:
    """The verdicts under one principle.

    Args:
        principle: its id.
        n: pairs that were judged under it.
        answered: those of them with a probability.
        accuracy: share that is right, where the gold label names a winner; p = ½ is half right.
        gold_n: such pairs.
        sureness: mean |p − ½|, from 0 to ½.
        flips: verdicts whose orders name different winners.
    """

    principle: str
    n: int
    answered: int
    accuracy: Interval | None
    gold_n: int
    sureness: float | None
    flips: Rate


def principle_influence(
    pairs: Sequence[JudgedPair], *, draws: int = 2000, seed: int = 0
) -> tuple[PrincipleInfluence, ...]:
    """One record for each principle, those of most pairs first."""
    found: dict[str, list[tuple[JudgedPair, Under]]] = defaultdict(list)
    for pair in pairs:
        for under in pair.under:
            found[under.principle].append((pair, under))
    ranked = sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return tuple(_influence(name, rows, draws, seed) for name, rows in ranked)


def _influence(
    name: str, rows: Sequence[tuple[JudgedPair, Under]], draws: int, seed: int
) -> PrincipleInfluence:
    given = [under.p for _, under in rows if under.p is not None]
    flipped = [under.flipped for _, under in rows if under.flipped is not None]
    scored = [
        (credit(under.p, pair.gold), pair.group)
        for pair, under in rows
        if under.p is not None and pair.gold in (0.0, 1.0)
    ]
    accuracy = None
    if scored:
        right, groups = zip(*scored, strict=True)
        accuracy = share_interval(right, groups, draws=draws, seed=seed)
    return PrincipleInfluence(
        principle=name,
        n=len(rows),
        answered=len(given),
        accuracy=accuracy,
        gold_n=len(scored),
        sureness=sum(abs(p - 0.5) for p in given) / len(given) if given else None,
        flips=Rate(sum(flipped), len(flipped)),
    )
