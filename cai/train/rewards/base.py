"""What a reward is, how several are added up, and how TRL's trainers take one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from cai.records import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Combined", "FunctionReward", "Reward", "for_trl"]


class Reward(Protocol):
    """Scores answers. `name` is its column in logs."""

    name: str

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        """One number per answer; higher is better.

        Args:
            prompts: n conversations.
            completions: n answers.
        """
        ...


class FunctionReward:
    """Any Python callable as a reward; it takes prompts and answers and returns numbers."""

    def __init__(
        self,
        function: Callable[[Sequence[Sequence[Message]], Sequence[str]], Sequence[float]],
        name: str | None = None,
    ) -> None:
        self._function = function
        self.name = name or getattr(function, "__name__", "function")

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        """See `Reward.score`.

        Raises:
            ValueError: the function returned another number of scores.
        """
        scores = [float(score) for score in self._function(prompts, completions)]
        if len(scores) != len(completions):
            raise ValueError(
                f"The reward {self.name} returned {len(scores)} scores for {len(completions)} "
                "answers. It must return one number for each."
            )
        return scores


class Combined:
    """The weighted sum of rewards; remembers what each part gave last."""

    def __init__(self, parts: Sequence[tuple[Reward, float]], name: str = "reward") -> None:
        """Add up.

        Args:
            parts: rewards with their weights, at least one; parts of one name are numbered.
            name: column of the sum.

        Raises:
            ValueError: there are no parts.
        """
        if not parts:
            raise ValueError("no rewards: online training needs at least one under `rewards:`")
        self.name = name
        self._parts: list[tuple[str, Reward, float]] = []
        for reward, weight in parts:
            same = sum(part.name == reward.name for _, part, _ in self._parts)
            unique = f"{reward.name}-{same + 1}" if same else reward.name
            self._parts.append((unique, reward, weight))
        self.last: dict[str, list[float]] = {}

    def parts_of(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> dict[str, list[float]]:
        """What each part gives, before its weight."""
        return {name: part.score(prompts, completions) for name, part, _ in self._parts}

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        """The weighted sums; `last` then holds the parts."""
        self.last = self.parts_of(prompts, completions)
        weights = {name: weight for name, _, weight in self._parts}
        return [
            sum(weights[name] * scores[i] for name, scores in self.last.items())
            for i in range(len(completions))
        ]


def for_trl(reward: Reward) -> Callable[..., list[float]]:
    """The function that TRL's online trainers take under `reward_funcs`.

    Example:
        >>> GRPOTrainer(reward_funcs=[for_trl(reward)], …)  # doctest: +SKIP
    """

    def function(prompts: Sequence[Any], completions: Sequence[Any], **_: Any) -> list[float]:
        return reward.score([_messages(p) for p in prompts], [_text(c) for c in completions])

    function.__name__ = reward.name
    return function


def _messages(prompt: Any) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    return tuple(Message(turn["role"], turn["content"]) for turn in prompt)


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])
