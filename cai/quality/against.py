"""Evaluation files: the texts that must not be in the training data, as sorted n-gram hashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cai.errors import InputError
from cai.quality.eval_files import eval_texts
from cai.quality.words import key_of, ngrams, ngrams_of, normal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cai.quality.words import Hashes, Vocabulary

__all__ = ["EvalIndex", "Leak"]

_CONTAINED = 3
"""Items of fewer words match only a whole turn or answer: "Why?" stands everywhere."""


_FILTER_BITS = 22
"""Bits of a hash that are looked up in a table before the hash itself is searched for."""


@dataclass(frozen=True, slots=True)
class Leak:
    """An evaluation item, and how many words of it stand in a text."""

    item: int
    length: int


class EvalIndex:
    """Finds every text that shares n words in a row with an item of an evaluation file.

    n = 13 as in Brown et al. 2020 (GPT-3, arXiv:2005.14165, appendix C). Items shorter than n words
    are looked for as a whole. Words are compared without letter case and punctuation. Nothing that
    is shared is missed: every n-gram of every item is in the index.

    Memory: 12 bytes for each word of the evaluation files, and 4 MB.
    """

    def __init__(self, path: Path, n: int, vocabulary: Vocabulary) -> None:
        """Read a file.

        Raises:
            InputError: it cannot be read, or holds no text.
        """
        self.path = path
        self.places: list[str] = []
        grams: dict[int, list[tuple[Hashes, int]]] = {}
        self._whole: dict[int, int] = {}
        for place, text, short_counts in eval_texts(path):
            words = vocabulary.encode(text)
            if not len(words) or (len(words) < n and not short_counts):
                continue
            item = len(self.places)
            self.places.append(place)
            if len(words) < _CONTAINED:
                self._whole.setdefault(key_of(normal(text)), item)
            else:
                length = min(n, len(words))
                grams.setdefault(length, []).append((ngrams(words, length), item))
        if not self.places:
            raise InputError(
                f"{path}: no evaluation item could be read. Allowed: JSONL, JSON, CSV, Parquet or "
                "plain text with at least one question. Name another file."
            )
        self._lengths = tuple(sorted(grams))
        # One table for all lengths: n-grams of different lengths share no hash.
        self._hashes, self._items = _sorted([p for n in self._lengths for p in grams[n]])
        self._filter = np.zeros(1 << _FILTER_BITS, bool)
        self._filter[self._hashes >> np.uint64(64 - _FILTER_BITS)] = True

    def find(self, texts: Sequence[Hashes]) -> dict[int, Leak]:
        """The longest leak of each text that has one, by the position of the text.

        Many texts at a time are much faster than one.
        """
        # No item has a word with the hash 0, so no n-gram that spans two texts is ever found.
        gap = np.zeros(1, np.uint64)
        words = np.concatenate([part for text in texts for part in (text, gap)])
        begins = np.cumsum([0, *(len(text) + 1 for text in texts)])
        found: dict[int, Leak] = {}
        for length, hashes in ngrams_of(words, self._lengths):
            for start, item in self._hits(hashes):
                text = int(begins.searchsorted(start, side="right")) - 1
                if text not in found or found[text].length < length:
                    found[text] = Leak(item, length)
        return found

    def whole(self, text: str, words: int) -> Leak | None:
        """The item of one or two words that a whole text is."""
        if not self._whole or words >= _CONTAINED:
            return None
        item = self._whole.get(key_of(normal(text)))
        return None if item is None else Leak(item, words)

    def _hits(self, hashes: Hashes) -> Iterator[tuple[int, int]]:
        """Where an n-gram of an item stands, and the item."""
        likely = self._filter[hashes >> np.uint64(64 - _FILTER_BITS)].nonzero()[0]
        places = self._hashes.searchsorted(hashes[likely])
        places[places == len(self._hashes)] = 0
        sure = self._hashes[places] == hashes[likely]
        yield from zip(likely[sure].tolist(), self._items[places[sure]].tolist(), strict=True)


def _sorted(parts: list[tuple[Hashes, int]]) -> tuple[Hashes, NDArray[np.int32]]:
    if not parts:
        return np.zeros(0, np.uint64), np.zeros(0, np.int32)
    hashes = np.concatenate([part for part, _ in parts])
    items = np.repeat([item for _, item in parts], [len(part) for part, _ in parts])
    hashes, first = np.unique(hashes, return_index=True)
    return hashes, items[first].astype(np.int32)
