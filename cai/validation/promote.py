"""Handing people's labels to training, which takes their prompts out of the held-out set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cai.errors import UsageError
from cai.validation.labels import Labels
from cai.validation.table import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.records import Message
    from cai.store import RunStore
    from cai.validation.table import LabelTable

__all__ = ["HumanPreference", "Promotion", "promote", "promoted"]

_VALUES = np.array([1.0, 0.0, 0.5])
"""What a label says of the first answer: first, second, tie."""


@dataclass(frozen=True, slots=True)
class HumanPreference:
    """A comparison by people that may be trained on.

    `p` is the share of people who prefer `chosen`, ties half: above ½ and at most 1.
    """

    pair_id: str
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    p: float
    labels: int


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion did: pairs that training may use now, and prompt groups retired for it."""

    pairs: int
    groups: int
    left: int
    """Labelled pairs that stay held out."""


def promote(labels: Labels, *, share: float = 1.0) -> Promotion:
    """Hand the labels of people to training, and retire their prompt groups for good.

    A group goes as a whole: a trainer that has seen one of two near-duplicates has seen both.

    Args:
        labels: of the run, whose store is open for writing.
        share: of the labelled prompt groups, in the order of the plan.

    Raises:
        UsageError: no label by a person names a winner.
    """
    table = read_table(labels)
    shares = _shares(table)
    groups = list(dict.fromkeys(g for g, p in zip(table.groups, shares, strict=True) if p != 0.5))
    if not groups:
        raise UsageError(
            f"No pair of the run {labels.store.folder} has a winner by people's labels; at least "
            f"one is needed to promote. Have pairs labelled first: cai review {labels.store.folder}"
        )
    chosen = set(groups[: max(1, round(share * len(groups)))])
    labels.retire(chosen)
    pairs = sum(
        item.group_id in chosen and p != 0.5 for item, p in zip(table.items, shares, strict=True)
    )
    left = sum(group not in chosen for group in table.groups)
    return Promotion(pairs, len(chosen), left)


def promoted(store: RunStore) -> Iterator[HumanPreference]:
    """Comparisons by people that were handed to training. None of them is held out any longer.

    Raises:
        StoreError: the run cannot be read.
    """
    labels = Labels(store)
    items = labels.retired_items()
    if not items:
        return
    table = read_table(labels, items=items)
    counts = (table.ratings >= 0).sum(axis=1)
    for item, p, n in zip(table.items, _shares(table), counts, strict=True):
        if p == 0.5:
            continue
        pair = item.pair
        best, worst = (pair.first, pair.second) if p > 0.5 else (pair.second, pair.first)
        sure = float(max(p, 1.0 - p))
        yield HumanPreference(pair.id, item.prompt.messages, best, worst, sure, int(n))


def _shares(table: LabelTable) -> list[float]:
    """The share of people who prefer the first answer; an adjudicator's word stands alone."""
    shares = []
    for ratings, gold in zip(table.ratings, table.gold, strict=True):
        given = ratings[ratings >= 0]
        ruled = gold >= 0 and gold not in given
        shares.append(float(_VALUES[gold] if ruled else _VALUES[given].mean()))
    return shares
