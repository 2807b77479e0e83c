"""Rewards that look at the text alone, and functions of your own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cai.errors import ConfigError
from cai.train.rewards.base import FunctionReward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.records import Message

__all__ = ["LengthPenalty", "PythonReward", "RepetitionPenalty", "repetition"]


class LengthPenalty:
    """−min(1, max(0, words / target − 1)): 0 up to the target, −1 from twice the target on."""

    name = "length"

    def __init__(self, target: int) -> None:
        """Begin to take off above so many words.

        Raises:
            ValueError: the target is less than 1.
        """
        if target < 1:
            raise ValueError(f"target must be 1 word or more, got {target}")
        self._target = target

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        """See `Reward.score`; from −1 to 0."""
        lengths = [len(text.split()) for text in completions]
        # The minus before max would make -0.0 of short answers.
        return [max(-1.0, min(0.0, 1.0 - words / self._target)) for words in lengths]


class RepetitionPenalty:
    """Minus the share of word n-grams that were there before, from −1 to 0; see `repetition`."""

    name = "repetition"

    def __init__(self, ngram: int) -> None:
        """Compare pieces of so many words.

        Raises:
            ValueError: there are less than 1.
        """
        if ngram < 1:
            raise ValueError(f"ngram must be 1 word or more, got {ngram}")
        self._ngram = ngram

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        """See `Reward.score`."""
        return [0.0 - repetition(text, self._ngram) for text in completions]


def repetition(text: str, ngram: int = 3) -> float:
    """1 − distinct / all word n-grams; 0 for a text shorter than one.

    Example:
        >>> repetition("a b c a b c a b c", 3)
        0.5714285714285714
    """
    words = text.split()
    pieces = [tuple(words[i : i + ngram]) for i in range(len(words) - ngram + 1)]
    return 1.0 - len(set(pieces)) / len(pieces) if pieces else 0.0


class PythonReward(FunctionReward):
    """A function by its place, `package.module:function`; see `FunctionReward`."""

    def __init__(self, place: str, name: str | None = None) -> None:
        """Import it.

        Args:
            place: where the function is; it takes prompts and answers and returns numbers.
            name: column in logs; the function's own name when absent.

        Raises:
            ConfigError: there is no such function.
        """
        module, colon, attribute = place.partition(":")
        if not (module and colon and attribute):
            raise ConfigError(
                f"The reward '{place}' names no function. Write package.module:function."
            )
        try:
            function = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"rewards: cannot find the function {place}: {error}. It must be importable "
                "from where you start: an installed package, or a folder on PYTHONPATH."
            ) from error
        if not callable(function):
            raise ConfigError(
                f"The reward '{place}' is a {type(function).__name__} and no function. Name one of "
                "(prompts, completions) that returns one number for each completion."
            )
        super().__init__(function, name or attribute)
