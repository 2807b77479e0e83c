"""Positions with equal keys, found by one sort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

__all__ = ["groups_of", "later_ones"]


def groups_of(keys: array[int]) -> Iterator[list[int]]:
    """Yield the positions of each key, ascending; groups come in the order of their firsts."""
    if not keys:
        return
    values = np.frombuffer(keys, np.uint64)
    order = np.argsort(values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order])) + 1
    groups = np.split(order, ends)
    for group in sorted(groups, key=lambda positions: int(positions[0])):
        yield group.tolist()


def later_ones(keys: array[int], rows: array[int]) -> Iterator[tuple[int, int]]:
    """Yield (row, first row with its key) for each row that is not the first, in order."""
    pairs = [(rows[later], rows[group[0]]) for group in groups_of(keys) for later in group[1:]]
    yield from sorted(pairs)
