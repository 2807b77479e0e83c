"""Which samples are paired, and which judged pairs are set aside."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Literal, TypeVar

from cai.formats import rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cai.config import ConfirmConfig
    from cai.records import Pair

__all__ = ["AGAINST_RANKING", "NOT_EXTREMES", "UNCONFIRMED", "best_worst", "confirmed", "partners"]

Pairing = Literal["all", "best_worst", "adjacent", "reference"]

UNCONFIRMED = "revision not confirmed"
NOT_EXTREMES = "not best against worst"
AGAINST_RANKING = "against the ranking"

_Item = TypeVar("_Item")


def partners(items: Sequence[_Item], pairing: Pairing) -> Iterable[tuple[_Item, _Item]]:
    """The pairs of k samples that are judged.

    `all` and `best_worst` judge all k (k - 1) / 2, because the best and the worst are only known
    when all are; `adjacent` and `reference` judge k - 1.
    """
    if pairing == "adjacent":
        return pairwise(items)
    if pairing == "reference":
        return [(items[0], other) for other in items[1:]]
    return combinations(items, 2)


def best_worst(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Set all judged pairs aside but that of the best and the worst sample by Bradley–Terry.

    The pair keeps its own p. It is set aside, too, where that names the other winner: the judge
    contradicts itself. Nothing changes where no two samples have a probability.
    """
    scales = rank(pairs)
    if not scales:
        return tuple(pairs)
    scale = max(scales, key=lambda found: len(found.answers))
    best, worst = scale.answers[0], scale.answers[-1]
    found, kept = False, []
    for pair in pairs:
        note = pair.note
        if pair.verdict is not None:
            if found or {pair.first, pair.second} != {best, worst}:
                note = NOT_EXTREMES
            else:
                # Two samples may have one text: the first of such pairs stands for all.
                found = True
                if pair.oriented().first != best:
                    note = AGAINST_RANKING
        kept.append(replace(pair, note=note))
    return tuple(kept)


def confirmed(pair: Pair, config: ConfirmConfig) -> Pair:
    """Set a judged (original, revision) pair aside unless the judge prefers the revision.

    The revision is `second`, as the loop makes such pairs.
    """
    if not config.revision or pair.p is None or pair.p < 0.5 - config.margin:
        return pair
    return replace(pair, note=UNCONFIRMED)
