"""What a reward is, how several are added up, and how TRL's trainers take one.

A reward may be unable to score an answer: a judge refuses, or says something else. Such an answer
gets no number of its own. It takes the mean of those answers to the same prompt that were scored,
else of the batch, else of all that the reward has scored so far, so that it neither pulls the
policy nor pushes it. The share of such answers is logged as `<name>/unscored`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cai.errors import TrainingError
from cai.records import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Function = Callable[[Sequence[Sequence[Message]], Sequence[str]], Sequence[float | None]]

__all__ = ["Combined", "Filler", "FunctionReward", "Partial", "Reward", "for_trl"]


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


@runtime_checkable
class Partial(Protocol):
    """A reward that cannot always tell; `unscored` flags the answers of the last `score`."""

    name: str
    unscored: list[bool]


class Filler:
    """Puts means in place of missing scores; see the module.

    Args:
        name: of the reward, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._sum, self._count = 0.0, 0

    def fill(
        self, prompts: Sequence[Sequence[Message]], scores: Sequence[float | None]
    ) -> list[float]:
        """The same scores without gaps.

        Raises:
            TrainingError: nothing was scored, in this batch or before.
        """
        given = [score for score in scores if score is not None]
        self._sum += math.fsum(given)
        self._count += len(given)
        if len(given) == len(scores):
            return given
        if not self._count:
            raise TrainingError(
                f"The reward {self._name} could score none of {len(scores)} answers. Look at what "
                "the judge says (it refuses, or says something else than a score), choose another "
                "judge or template, or lower judge.min_mass."
            )
        over_all = math.fsum(given) / len(given) if given else self._sum / self._count
        groups: dict[tuple[Message, ...], list[float]] = {}
        for prompt, score in zip(prompts, scores, strict=True):
            if score is not None:
                groups.setdefault(tuple(prompt), []).append(score)
        filled = []
        for prompt, score in zip(prompts, scores, strict=True):
            group = groups.get(tuple(prompt))
            mean = math.fsum(group) / len(group) if group else over_all
            filled.append(mean if score is None else score)
        return filled


class FunctionReward:
    """Any Python callable as a reward; it takes prompts and answers and returns numbers.

    None, or no finite number, stands for an answer that it cannot score.
    """

    def __init__(self, function: Function, name: str | None = None) -> None:
        """Wrap a function.

        Args:
            function: of the conversations and the answers, lists of the same length.
            name: column in logs; the function's own name when absent.
        """
        self._function = function
        self.name: str = name or str(getattr(function, "__name__", "function"))
        self.unscored: list[bool] = []
        self._filler = Filler(self.name)

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        """See `Reward.score`.

        Raises:
            ValueError: the function returned another number of scores.
            TrainingError: the function has never scored anything.
        """
        scores = list(self._function(prompts, completions))
        if len(scores) != len(completions):
            raise ValueError(
                f"The reward {self.name} returned {len(scores)} scores for {len(completions)} "
                "answers. It must return one number for each."
            )
        known = [None if s is None or not math.isfinite(s) else float(s) for s in scores]
        self.unscored = [score is None for score in known]
        return self._filler.fill(prompts, known)


class Combined:
    """The weighted sum of rewards; remembers what each part gave last, and to which answers.

    `last` holds the scores of each part by name, before its weight. Of parts that cannot always
    tell it also holds `<name>/unscored`, 1 for each answer without a score of its own, else 0.
    """

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
        self.parts: list[tuple[str, Reward, float]] = []
        for reward, weight in parts:
            same = sum(part.name == reward.name for _, part, _ in self.parts)
            unique = f"{reward.name}-{same + 1}" if same else reward.name
            self.parts.append((unique, reward, weight))
        self.last: dict[str, list[float]] = {}
        self.answers: Sequence[str] = ()

    def parts_of(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> dict[str, list[float]]:
        """What each part gives, before its weight."""
        return {name: part.score(prompts, completions) for name, part, _ in self.parts}

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        """The weighted sums; `last` then holds the parts."""
        found = self.parts_of(prompts, completions)
        self.last, self.answers = dict(found), completions
        for name, part, _ in self.parts:
            if isinstance(part, Partial):
                self.last[f"{name}/unscored"] = [float(flag) for flag in part.unscored]
        weights = {name: weight for name, _, weight in self.parts}
        return [
            math.fsum(weights[name] * scores[i] for name, scores in found.items())
            for i in range(len(completions))
        ]

    def close(self) -> None:
        """Give back what parts hold: judges, their models and stores."""
        for _, part, _ in self.parts:
            close = getattr(part, "close", None)
            if close is not None:
                close()


def for_trl(reward: Reward, name: str | None = None) -> Callable[..., list[float]]:
    """The function that TRL's online trainers take under `reward_funcs`.

    It takes prompts and completions as texts or as lists of turns, and all other columns of the
    data. Where TRL hands it `log_metric`, the share of unscored answers is logged.

    Args:
        reward: also a `Combined`, whose parts are then logged, too.
        name: column in TRL's logs; the reward's own when absent.

    Example:
        >>> GRPOTrainer(reward_funcs=[for_trl(reward)], …)  # doctest: +SKIP
    """

    def function(
        prompts: Sequence[Any],
        completions: Sequence[Any],
        log_metric: Callable[[str, float], None] | None = None,
        **_: Any,
    ) -> list[float]:
        scores = reward.score([_messages(p) for p in prompts], [_text(c) for c in completions])
        if log_metric is not None:
            for column, values in _figures(reward, function.__name__).items():
                if values:
                    log_metric(column, math.fsum(values) / len(values))
        return scores

    function.__name__ = name or reward.name
    return function


def _figures(reward: Reward, name: str) -> dict[str, list[float]]:
    if isinstance(reward, Combined):
        return {f"reward/{part}": values for part, values in reward.last.items()}
    if isinstance(reward, Partial):
        return {f"reward/{name}/unscored": [float(flag) for flag in reward.unscored]}
    return {}


def _messages(prompt: Any) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    return tuple(Message(turn["role"], turn["content"]) for turn in prompt)


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"] or "")
