"""Texts as arrays of numbers: one hash for each word, so that n-grams are vector arithmetic.

A word has the same 64-bit hash in every process. Two different n-grams share a hash with a chance
of about 2⁻⁶⁴: among ten million n-grams against a million, once in two million files.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from cai.store.signature import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

__all__ = ["Vocabulary", "key_of", "ngrams", "ngrams_of", "normal", "shingles"]

_KNOWN = 1_000_000
"""Words whose hash is remembered (about 150 MB); a file of made-up words must not fill memory."""

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(31)
_SPACE = re.compile(r"\s+")


class _Table(dict[str, int]):
    def __missing__(self, word: str) -> int:
        if len(self) >= _KNOWN:
            self.clear()
        digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        value = self[word] = int.from_bytes(digest, "big")
        return value


class Vocabulary:
    """Turns texts into arrays of word hashes. It remembers words, which is faster than hashing."""

    def __init__(self) -> None:
        self._table = _Table()

    def encode(self, text: str) -> Hashes:
        """One unsigned 64-bit number for each word of a text, shape (words,)."""
        found = words_of(text)
        return np.fromiter(map(self._table.__getitem__, found), np.uint64, len(found))


def ngrams(words: Hashes, n: int) -> Hashes:
    """The hash of every n words in a row, shape (words − n + 1,); empty for a shorter text."""
    return next((hashes for _, hashes in ngrams_of(words, (n,))), np.zeros(0, np.uint64))


def ngrams_of(words: Hashes, lengths: Sequence[int]) -> Iterator[tuple[int, Hashes]]:
    """Yield n and `ngrams(words, n)` for some ascending n, up to the length of the text."""
    rolling = words
    for n in range(1, min(len(words), max(lengths, default=0)) + 1):
        if n > 1:
            rolling = rolling[:-1] * _FACTOR + words[n - 1 :]
        if n in lengths:
            # The polynomial alone is linear in the words, and takes a leading word with the hash 0
            # for none. Mixed with n, it is neither.
            mixed = rolling + np.uint64(n * int(_MIX) % 2**64)
            mixed = (mixed ^ (mixed >> _SHIFT)) * _MIX
            yield n, mixed ^ (mixed >> _SHIFT)


def shingles(words: Hashes) -> Hashes:
    """The different word 2-grams of a text, sorted; a text of one word is one shingle."""
    grams = ngrams(words, 2 if len(words) > 1 else 1)
    grams.sort()
    new = np.ones(len(grams), bool)
    np.not_equal(grams[1:], grams[:-1], out=new[1:])
    different: Hashes = grams[new]
    return different


def normal(text: str) -> str:
    """A text after NFKC and case folding, with one blank for all white space. Punctuation stays."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _SPACE.sub(" ", text.casefold()).strip()


def key_of(*parts: str) -> int:
    """64 bits that stand for some texts in their order."""
    digest = blake2b(digest_size=8)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return int.from_bytes(digest.digest(), "big")
