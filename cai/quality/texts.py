"""The texts of one sample, as keys, words and parts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cai.quality.near.part import Part
from cai.quality.words import key_of, normal

if TYPE_CHECKING:
    from cai.quality.records import Sample
    from cai.quality.words import Hashes, Vocabulary

__all__ = ["Texts"]


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
