"""One text as the search for near-duplicates sees it."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from datasketch import MinHash

from cai.quality.words import shingles
from cai.store.signature import PERMUTATIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cai.quality.words import Hashes

__all__ = ["Part"]

_LOWER = np.uint64(0xFFFFFFFF)


class Part:
    """The words of one text; shingles and signature are computed once, when asked."""

    def __init__(self, words: Hashes) -> None:
        self.words = words

    @cached_property
    def shingles(self) -> Hashes:
        """See `cai.quality.words.shingles`."""
        return shingles(self.words)

    @cached_property
    def signature(self) -> NDArray[np.uint32]:
        """MinHash of the shingles, shape (128,); that of a union is the minimum of its parts'."""
        sketch = _sketch()
        sketch.clear()
        sketch.update_batch((self.shingles & _LOWER).tolist())
        values: NDArray[np.uint32] = sketch.hashvalues.copy()
        return values


@cache
def _sketch() -> MinHash:
    # The shingles are hashes already.
    return MinHash(PERMUTATIONS, seed=1, scheme="affine32", hashfunc=int)
