"""How alike two units are, computed exactly on their words.

A unit is one or more texts (parts). Similarity is the Jaccard index of the sets of word 2-grams of
all parts, where a 2-gram counts only within its own part. With one word in ten changed, n words
keep at least 0.8 n of their 2-grams: J ≥ 0.8 / 1.2 = 0.67. With 3-grams it would be 0.54, and the
prompt grouping's 0.7 (`cai.store.signature`) would miss such a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cai.quality.words import shingles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["LEAST_WORDS", "THRESHOLD", "alike"]

LEAST_WORDS = 12
"""Shorter units are compared as equal or not: in six words, one other word is another question."""

THRESHOLD = 0.4
"""Of the whole unit. Where each word is changed with a chance of one in ten, thirty words lose six
or more in one case of fourteen: this leaves room for that, and unrelated texts are below 0.1."""

_PART = 0.35
"""Of each part that has at least `LEAST_WORDS`; it keeps two pairs of answers to one long prompt
apart."""

_SHORT_PART = 0.3
"""Of the words of a shorter part: one of three words may differ, but not `yes` and `no`."""


def alike(first: Sequence[NDArray[Any]], second: Sequence[NDArray[Any]]) -> float:
    """The similarity of two units, from 0 to 1; 0 where one of their parts is a different one.

    Args:
        first: the words of each part.
        second: those of the other unit, with as many parts.
    """
    if len(first) != len(second):
        return 0.0
    shared = together = 0
    for one, other in zip(first, second, strict=True):
        common, union = _overlap(shingles(one), shingles(other))
        shared, together = shared + common, together + union
        longer = max(len(one), len(other))
        if longer >= LEAST_WORDS:
            if common < _PART * union:
                return 0.0
        elif longer:
            same, words = _overlap(np.unique(one), np.unique(other))
            if same < _SHORT_PART * words:
                return 0.0
    return shared / together if together else 1.0


def _overlap(first: NDArray[Any], second: NDArray[Any]) -> tuple[int, int]:
    """The sizes of the intersection and of the union of two sorted sets."""
    common = len(np.intersect1d(first, second, assume_unique=True))
    return common, len(first) + len(second) - common
