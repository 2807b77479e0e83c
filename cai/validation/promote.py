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

__all__ = ["HumanPreference", "Promotion", "groups_to_promote", "promote", "promoted"]

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

    A group goes as a whole: a trainer that has seen one of two near-duplicates has seen both. Which
    groups go must not depend on what people said of them, or the labels that stay would no longer
    be those of a random sample. So groups without a winner go as well, although nothing is learned
    from them.

    Args:
        labels: of the run, whose store is open for writing.
        share: of the labelled prompt groups, in the order of the plan.

    Raises:
        UsageError: no label by a person names a winner.
    """
    table, chosen = read_table(labels), groups_to_promote(labels, share)
    pairs = sum(
        item.group_id in chosen and p != 0.5
        for item, p in zip(table.items, _shares(table), strict=True)
    )
    if not pairs:
        raise UsageError(
            f"None of the {len(chosen):,} prompt groups to be promoted has a winner by people's "
            "labels; at least one is needed. Name a larger --share, or have pairs labelled first: "
            f"cai review {labels.store.folder}"
        )
    labels.retire(chosen, "promoted")
    left = sum(group not in chosen for group in table.groups)
    return Promotion(pairs, len(chosen), left)


def groups_to_promote(labels: Labels, share: float) -> set[str]:
    """The labelled prompt groups that a promotion of this share takes.

    Raises:
        UsageError: there is no plan, or nobody has labelled one of its pairs.
    """
    labels.needed_plan()
    groups = list(dict.fromkeys(read_table(labels).groups))
    if not groups:
        raise UsageError(
            f"Nobody has labelled pairs of the plan of {labels.store.folder}; promotion hands "
            f"labels by people to training. Have some labelled: cai review {labels.store.folder}"
        )
    return set(groups[: max(1, round(share * len(groups)))])


def promoted(store: RunStore) -> Iterator[HumanPreference]:
    """Comparisons by people that were handed to training. None of them is held out any longer.

    Raises:
        StoreError: the run cannot be read.
    """
    labels = Labels(store)
    items = labels.promoted_items()
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
    for ratings, ruled in zip(table.ratings, table.ruled, strict=True):
        counted = [ruled] if ruled >= 0 else ratings[ratings >= 0]
        shares.append(float(_VALUES[counted].mean()))
    return shares
