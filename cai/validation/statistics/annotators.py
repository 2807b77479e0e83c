"""What one annotator's labels say of how they were given: pace, drift, consistency, slot bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cai.validation.statistics.intervals import share_difference, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.validation.statistics.intervals import Interval

__all__ = ["AnnotatorReport", "LabelledItem", "annotator_report", "spearman"]


@dataclass(frozen=True, slots=True)
class LabelledItem:
    """One label that the annotator gave."""

    item: int | str
    code: int
    """The label, from 0. It names the answer itself, not the place where it was shown."""
    order: int
    """When it was given, counted in any unit that grows: 0, 1, 2 …"""
    repeat_of: int | str | None = None
    """The `item` that is asked here a second time; None for a first label."""
    shown_first_chosen: bool | None = None
    """Whether the chosen answer was the one shown first; None for a tie or no choice."""
    seconds: float | None = None
    """Time spent; None where unknown."""
    others: int = -1
    """The other annotators' majority, −1 where they have none."""


@dataclass(frozen=True, slots=True)
class AnnotatorReport:
    """One annotator's figures; None where there is nothing to compute them from.

    Repeats count in `labels`, `median_seconds`, `pace` and `self_consistency`. The other figures
    take first labels only, so that no item counts twice.
    """

    labels: int
    median_seconds: float | None
    pace: float | None
    """Spearman's ρ of seconds and order: below 0 for one who speeds up. From 3 timed labels on."""
    agreement: Interval | None
    """Share of labels that are the others' majority."""
    agreement_drift: Interval | None
    """That share in the second half of the labels minus in the first, from −1 to 1."""
    self_consistency: Interval | None
    """Share of repeats answered as the first time."""
    first_slot: Interval | None
    """Share of decided choices that named the answer shown first."""
    tie_share: Interval | None
    """Share of labels that are ties."""

    @property
    def slot_biased(self) -> bool:
        """Whether the interval of `first_slot` excludes ½."""
        slot = self.first_slot
        return slot is not None and not slot.low <= 0.5 <= slot.high


def annotator_report(
    items: Sequence[LabelledItem], *, tie: int | None = None, level: float = 0.95
) -> AnnotatorReport:
    """The figures of one annotator, with Wilson's intervals for shares.

    Args:
        items: the labels, in any order. A repeat whose first label is not among them tells
            nothing of consistency, and is left out there.
        tie: the code of a tie; None if there is none.
        level: of the intervals.

    Raises:
        ValueError: an item has two first labels, or a code is negative.
    """
    ordered = sorted(items, key=lambda label: label.order)
    first = _first_labels(ordered)
    alike = [
        label.code == first[label.repeat_of].code
        for label in ordered
        if label.repeat_of is not None and label.repeat_of in first
    ]
    timed = [(label.order, label.seconds) for label in ordered if label.seconds is not None]
    agreed = [label.code == label.others for label in first.values() if label.others >= 0]
    slots = [
        label.shown_first_chosen for label in first.values() if label.shown_first_chosen is not None
    ]
    ties = [label.code == tie for label in first.values()] if tie is not None else []
    return AnnotatorReport(
        labels=len(ordered),
        median_seconds=float(np.median([seconds for _, seconds in timed])) if timed else None,
        pace=spearman([order for order, _ in timed], [seconds for _, seconds in timed]),
        agreement=_share(agreed, level),
        agreement_drift=_drift(agreed, level),
        self_consistency=_share(alike, level),
        first_slot=_share(slots, level),
        tie_share=_share(ties, level),
    )


def spearman(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Spearman's rank correlation, equal values sharing their mean rank (Spearman 1904).

    Returns:
        From −1 to 1; None for fewer than 3 pairs, or where either side is constant.

    Raises:
        ValueError: x and y differ in length.
    """
    if len(x) != len(y):
        raise ValueError(f"x and y must have the same length, got {len(x)} and {len(y)}")
    if len(x) < 3 or len(set(x)) == 1 or len(set(y)) == 1:
        return None
    return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])


def _ranks(values: Sequence[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def _first_labels(ordered: Sequence[LabelledItem]) -> dict[int | str, LabelledItem]:
    first: dict[int | str, LabelledItem] = {}
    for label in ordered:
        if label.code < 0:
            raise ValueError(f"Item {label.item!r} has the code {label.code}; codes start at 0")
        if label.repeat_of is None:
            if label.item in first:
                raise ValueError(
                    f"Item {label.item!r} has two first labels; give the second one `repeat_of`"
                )
            first[label.item] = label
    return first


def _share(hits: Sequence[bool], level: float) -> Interval | None:
    return wilson(sum(hits), len(hits), level) if hits else None


def _drift(agreed: Sequence[bool], level: float) -> Interval | None:
    middle = len(agreed) // 2
    before, after = _share(agreed[:middle], level), _share(agreed[middle:], level)
    return share_difference(after, before) if after and before else None
