"""Which units may be alike: locality-sensitive hashing of MinHash signatures.

42 bands of 3 values find two units of similarity s with probability 1 − (1 − s³)⁴² (Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4): over 0.999 at s = 0.6, 0.94 at
0.4, and 0.001 at 0.03, which is how alike two unrelated texts are.

The run store needs that no match is ever missed and keeps its index on disk (`cai.store.groups`);
here all signatures are at hand, and one sort per band finds its groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cai.store.signature import PERMUTATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["BANDS", "candidate_pairs", "screened"]

BANDS = 42
_VALUES = PERMUTATIONS // BANDS

_REACH = 6
"""Neighbours in a band that a unit is compared with, beside the first: it bounds the work where a
band is shared by many."""

_CHUNK = 65_536
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def candidate_pairs(signatures: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Pairs (later, earlier) of units that share a band, sorted; shape (pairs, 2).

    Args:
        signatures: shape (units, 128).
    """
    units = len(signatures)
    found = [np.zeros(0, np.int64)]
    for band in range(BANDS):
        keys = np.zeros(units, np.uint64)
        for column in range(band * _VALUES, (band + 1) * _VALUES):
            keys = keys * _FACTOR + signatures[:, column]
        found.append(np.unique(_within(keys, units)))
    return np.stack(np.divmod(np.unique(np.concatenate(found)), max(1, units)), axis=1)


def _within(keys: NDArray[np.uint64], units: int) -> NDArray[np.int64]:
    """Pairs with the same key, as later · units + earlier."""
    order = np.argsort(keys, kind="stable").astype(np.int64)
    ordered = keys[order]
    begins = np.ones(units, bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    first = np.maximum.accumulate(np.where(begins, np.arange(units), 0))
    pairs = [order * units + order[first]]
    for back in range(1, min(_REACH, units - 1) + 1):
        same = ordered[back:] == ordered[:-back]
        pairs.append(order[back:][same] * units + order[:-back][same])
    joined: NDArray[np.int64] = np.concatenate(pairs)
    different: NDArray[np.bool_] = joined // units != joined % units
    return joined[different]


def screened(
    signatures: NDArray[np.uint32], pairs: NDArray[np.int64], least: float
) -> Iterator[tuple[int, int]]:
    """Yield those pairs whose estimated similarity is at least `least`."""
    for begin in range(0, len(pairs), _CHUNK):
        part = pairs[begin : begin + _CHUNK]
        estimate = (signatures[part[:, 0]] == signatures[part[:, 1]]).mean(axis=1)
        yield from part[estimate >= least].tolist()
