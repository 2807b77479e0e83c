"""Texts as arrays of numbers: one hash for each word, so that n-grams are vector arithmetic.

A word has the same 64-bit hash in every process. Two different n-grams share a hash with a chance
of about 2⁻⁶⁴: among ten million n-grams against a million, once in two million files.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from cai.store.signature import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cai.quality.records import Sample

    Hashes = NDArray[np.uint64]

__all__ = ["Part", "Texts", "Vocabulary", "key_of", "ngrams", "ngrams_of", "normal", "shingles"]

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
            # The polynomial alone is linear in the words; mixed, it is not.
            mixed = (rolling ^ (rolling >> _SHIFT)) * _MIX
            yield n, mixed ^ (mixed >> _SHIFT)


def shingles(words: Hashes) -> Hashes:
    """The different word 2-grams of a text, sorted; a text of one word is one shingle."""
    grams = ngrams(words, min(2, max(1, len(words))))
    grams.sort()
    new = np.ones(len(grams), bool)
    np.not_equal(grams[1:], grams[:-1], out=new[1:])
    different: Hashes = grams[new]
    return different


class Part:
    """The words of one text, and its shingles when asked."""

    __slots__ = ("_shingles", "words")

    def __init__(self, words: Hashes) -> None:
        self.words = words
        self._shingles: Hashes | None = None

    @property
    def shingles(self) -> Hashes:
        """See `shingles`."""
        if self._shingles is None:
            self._shingles = shingles(self.words)
        return self._shingles


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


class Texts:
    """What the checks want to know of one sample's texts, computed once and only when asked."""

    def __init__(self, sample: Sample, vocabulary: Vocabulary) -> None:
        self._sample = sample
        self._vocabulary = vocabulary

    @cached_property
    def prompt_key(self) -> int:
        """Of the whole conversation, with the roles and any system turn, normalised."""
        turns = self._sample.prompt
        return key_of(*(part for turn in turns for part in (turn.role, normal(turn.content))))

    @cached_property
    def answer_keys(self) -> tuple[int, ...]:
        """Of each answer, normalised."""
        return tuple(key_of(normal(answer)) for answer in self._sample.answers)

    @cached_property
    def turns(self) -> tuple[Hashes, ...]:
        """The words of each turn of the prompt."""
        return tuple(self._vocabulary.encode(turn.content) for turn in self._sample.prompt)

    @cached_property
    def answers(self) -> tuple[Hashes, ...]:
        """The words of each answer."""
        return tuple(self._vocabulary.encode(answer) for answer in self._sample.answers)

    @property
    def target(self) -> Hashes | None:
        """The words of the answer that a training moves towards."""
        chosen = self._sample.chosen
        return None if chosen is None else self.answers[chosen]

    @cached_property
    def context(self) -> Hashes:
        """The words of what was said before the last turn, without any system turn."""
        said = [
            words
            for turn, words in zip(self._sample.prompt[:-1], self.turns, strict=False)
            if turn.role != "system"
        ]
        return np.concatenate(said) if said else np.zeros(0, np.uint64)

    @property
    def question(self) -> Hashes:
        """The words of the last turn of the prompt."""
        return self.turns[-1] if self.turns else np.zeros(0, np.uint64)

    @cached_property
    def prompt_parts(self) -> tuple[Part, Part]:
        """What was said before, and the last turn."""
        return Part(self.context), Part(self.question)

    @cached_property
    def answer_parts(self) -> tuple[Part, ...]:
        """The answers."""
        return tuple(map(Part, self.answers))
