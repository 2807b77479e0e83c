"""Units of text and which of them nearly repeat an earlier one."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from cai.quality.near.alike import LEAST_WORDS, THRESHOLD, alike
from cai.quality.near.candidates import candidate_pairs, screened
from cai.quality.spill import Spill
from cai.store.signature import PERMUTATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cai.quality.near.part import Part
    from cai.quality.words import Hashes

__all__ = ["NearIndex"]

_SCREEN = THRESHOLD - 0.13
"""Of the estimate: its standard error is 0.044, so what is below has no chance."""


class NearIndex:
    """Takes units in order; `repeats` then yields the later ones that nearly repeat an earlier one.

    Words and signatures lie in temporary files (4 bytes a word, 512 a unit). Candidates come from
    MinHash (Broder 1997) over the shingles of all parts together, and are verified part by part on
    the words themselves.
    """

    def __init__(self) -> None:
        self._signatures = Spill()
        self._words = Spill()
        self._first_part = array("Q", [0])
        self._rows = array("Q")

    def add(self, row: int, parts: Sequence[Part], unsigned: int = 0) -> None:
        """Add one unit.

        Args:
            row: index of the sample it is from.
            parts: the words of each of its texts.
            unsigned: so many leading parts are verified, but do not help to find candidates; all
                do where the rest is short. Many rows of a file may share a long prompt.
        """
        lengths = [len(part.words) for part in parts]
        if sum(lengths) < LEAST_WORDS:
            return
        if sum(lengths[unsigned:]) < LEAST_WORDS:
            unsigned = 0
        signed = [part.signature for part in parts[unsigned:]]
        self._signatures.add(np.minimum.reduce(signed))
        for part in parts:
            self._words.add(part.words)
        self._first_part.append(len(self._words))
        self._rows.append(row)

    def repeats(
        self, allowed: Callable[[int, int], bool] = lambda later, earlier: True
    ) -> Iterator[tuple[int, int, float]]:
        """Yield (row, earlier row, similarity) for each unit that nearly repeats an earlier one.

        The earlier one is always one that repeats nothing itself. So what is left when all that
        are yielded are dropped holds no two units that were found alike, and a chain of small
        changes does not drag along what differs from its beginning.

        Args:
            allowed: whether two rows may be compared.
        """
        signatures = self._signatures.all().reshape(-1, PERMUTATIONS)
        founder: dict[int, int] = {}
        tried: tuple[int, int] = (-1, -1)
        for later, earlier in screened(signatures, candidate_pairs(signatures), _SCREEN):
            earlier = founder.get(earlier, earlier)
            if later in founder or (later, earlier) == tried:
                continue
            tried = (later, earlier)
            if not allowed(self._rows[later], self._rows[earlier]):
                continue
            similarity = alike(self._parts(later), self._parts(earlier))
            if similarity >= THRESHOLD:
                founder[later] = earlier
                yield self._rows[later], self._rows[earlier], similarity

    def _parts(self, unit: int) -> list[Hashes]:
        span = range(self._first_part[unit], self._first_part[unit + 1])
        return [self._words[part].astype(np.uint64) for part in span]

    def close(self) -> None:
        """Give the temporary files back."""
        self._signatures.close()
        self._words.close()
