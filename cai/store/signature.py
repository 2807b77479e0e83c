"""MinHash signatures of prompts: how alike two prompts are, in 512 bytes each.

A prompt is the set of word 3-grams (shingles) of its user turns. The share of equal values in two
signatures estimates the Jaccard similarity of the two sets (Broder 1997, "On the resemblance and
containment of documents"); with 128 values its standard error is at most 0.044.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cai.records import Prompt

__all__ = ["PERMUTATIONS", "Signer", "agreement", "band_keys", "shingles", "words_of"]

PERMUTATIONS = 128
"""Values in a signature, each an unsigned 32-bit number."""

_SEED = 1
"""Of the permutations. Stored signatures depend on it: it never changes."""

_BYTES = 4
_WORDS = 3

# Apostrophes, soft hyphens and zero-width characters stand inside words: they go without a trace.
_INSIDE = re.compile("['\u2019\u00ad\u200b-\u200f\u2060\ufeff]")
# Scripts without spaces between words: Thai to Burmese, Khmer, kana, Han. Each character is a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


class Signer:
    """Computes signatures: pure functions of the user's words, the same in every process.

    One thread at a time may use a signer.
    """

    def __init__(self) -> None:
        """Draw the permutations once; they are shared by all signatures."""
        from datasketch import MinHash

        self._sketch = MinHash(PERMUTATIONS, seed=_SEED, scheme="affine32")

    def sign(self, prompt: Prompt) -> bytes:
        """The signature of a prompt: 128 little-endian unsigned 32-bit numbers."""
        sketch = self._sketch
        # A new sketch would check the permutations again, which takes longer than using them.
        sketch.clear()
        sketch.update_batch([shingle.encode("utf-8", "replace") for shingle in shingles(prompt)])
        return bytes(sketch.hashvalues.astype("<u4", copy=False).tobytes())


def shingles(prompt: Prompt) -> frozenset[str]:
    """The word 3-grams of all user turns.

    Words are compared after NFKC, case folding and without punctuation. The turns are taken one
    by one, so no 3-gram spans two of them; their order and what stands between them (the answers,
    the system turn) does not count, so conversations that ask the same are alike. A turn of one
    or two words is one shingle, and a turn without words (emoji, punctuation) counts as it is
    written.
    """
    found: set[str] = set()
    for message in prompt.messages:
        if message.role != "user":
            continue
        words = words_of(message.content)
        found.update(
            " ".join(words[i : i + _WORDS]) for i in range(max(1, len(words) - _WORDS + 1))
        )
    found.discard("")
    # Without any text there is nothing to compare: such a prompt is like no other.
    return frozenset(found or {prompt.id})


def words_of(text: str) -> list[str]:
    """The words of a text after NFKC and case folding, without punctuation.

    A text without words (emoji, punctuation) gives what stands between its blanks.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words: list[str] = _WORD.findall(_INSIDE.sub("", folded))
    return words or folded.split()


def agreement(signature: bytes, others: Iterable[bytes]) -> list[int]:
    """How many of the 128 values each of the others has in common with `signature`.

    Divided by 128 it is the estimated Jaccard similarity.
    """
    import numpy as np

    table = np.frombuffer(b"".join(others), dtype="<u4").reshape(-1, PERMUTATIONS)
    equal = table == np.frombuffer(signature, dtype="<u4")
    return [int(count) for count in equal.sum(axis=1)]


def band_keys(signature: bytes, bands: int, rows: int) -> list[int]:
    """Cut a signature into bands of so many values, and hash each to a signed 64-bit number."""
    width = rows * _BYTES
    digests = []
    for i, begun in enumerate(_salted(bands)):
        band = begun()
        band.update(signature[i * width : (i + 1) * width])
        digests.append(band.digest())
    return list(struct.unpack(f">{bands}q", b"".join(digests)))


@cache
def _salted(bands: int) -> tuple[Callable[[], blake2b], ...]:
    """For each band, what makes a hash that has its number as the salt."""
    return tuple(blake2b(digest_size=8, salt=i.to_bytes(2, "big")).copy for i in range(bands))
