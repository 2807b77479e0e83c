"""Rewards that look at the text alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.records import Message

__all__ = ["LengthPenalty", "RepetitionPenalty", "repetition"]


class LengthPenalty:
    """−min(1, max(0, words / target − 1)): 0 up to the target, −1 from twice the target on."""

    name = "length"

    def __init__(self, target: int) -> None:
        """Begin to take off above so many words."""
        self._target = target

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        """See `Reward.score`; from −1 to 0."""
        lengths = [len(text.split()) for text in completions]
        return [-min(1.0, max(0.0, words / self._target - 1.0)) for words in lengths]


class RepetitionPenalty:
    """Minus the share of word n-grams that were there before, from −1 to 0."""

    name = "repetition"

    def __init__(self, ngram: int) -> None:
        """Compare pieces of so many words."""
        self._ngram = ngram

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        """See `Reward.score`."""
        return [-repetition(text, self._ngram) for text in completions]


def repetition(text: str, ngram: int = 3) -> float:
    """1 − distinct / all word n-grams; 0 for a text shorter than one.

    Example:
        >>> repetition("a b c a b c a b c", 3)
        0.5714285714285714
    """
    words = text.split()
    pieces = [tuple(words[i : i + ngram]) for i in range(len(words) - ngram + 1)]
    return 1.0 - len(set(pieces)) / len(pieces) if pieces else 0.0
