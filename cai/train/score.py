"""Scoring a file of comparisons or answers with a reward model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from cai.errors import InputError, UsageError
from cai.train.examples import Preference, PromptExample, Ranking
from cai.train.files import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cai.records import Message
    from cai.train.examples import Demonstration, Rating
    from cai.train.files import Example
    from cai.train.rewards.base import Reward

__all__ = ["Scores", "score_file"]

_LINES_AT_ONCE = 64


@dataclass(slots=True)
class Scores:
    """What the scores of a file come to.

    Args:
        rows: lines that were scored.
        left_out: lines that compare equal answers, or hold no decided comparison or no answer.
        rewards: their count, sum and sum of squares.
        pairs: figures of the comparisons as `cai.train.intervals.pairwise_summary` gives them, with
            `accuracy`; lengths are characters. Empty without comparisons.
    """

    rows: int = 0
    left_out: int = 0
    rewards: tuple[int, float, float] = (0, 0.0, 0.0)
    pairs: dict[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Mean reward over all answers."""
        return self.rewards[1] / self.rewards[0]

    @property
    def deviation(self) -> float:
        """Standard deviation of the rewards over all answers."""
        count, total, squares = self.rewards
        return math.sqrt(max(0.0, squares / count - (total / count) ** 2))


def score_file(
    reward: Reward, path: Path, output: Path, *, progress: Callable[[int], None] | None = None
) -> Scores:
    """Score every answer of a file; memory does not grow with it.

    Each row of `output` has the `line` of the file that it is about (from 1). A comparison has the
    rewards of `chosen` and `rejected`, their difference `margin`, and `p`, the probability of
    Bradley and Terry that `chosen` is better; where a file says p < 0.5, `chosen` is the answer
    that it prefers. A ranking has `rewards`, best first; any other row has `reward`. The output is
    there as a whole or not at all.

    Args:
        reward: a reward model.
        path: JSONL, plain or gzip, in a form that `cai train rm` reads.
        output: is written.
        progress: is told the number of lines so far.

    Raises:
        InputError: a line cannot be read, or there are none to score.
        UsageError: input and output are one file.
    """
    if output.resolve() == path.resolve():
        raise UsageError(f"{output} is the file that is read. Name another one with --output.")
    scores, wins = Scores(), _Wins()
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            for lines in _together(read_lines(path, "human")):
                for row in _scored(reward, lines, scores, wins):
                    file.write(orjson.dumps(row) + b"\n")
                if progress is not None:
                    progress(lines[-1][0])
        if not scores.rows:
            raise InputError(
                f"{path}: nothing to score, {scores.left_out} lines were left out because their "
                "answers are equal, neither is preferred or there are none."
            )
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
    scores.pairs = wins.summary()
    return scores


def _together(
    lines: Iterator[tuple[int, Example | None]],
) -> Iterator[list[tuple[int, Example | None]]]:
    held: list[tuple[int, Example | None]] = []
    for line in lines:
        held.append(line)
        if len(held) == _LINES_AT_ONCE:
            yield held
            held = []
    if held:
        yield held


def _scored(
    reward: Reward, lines: list[tuple[int, Example | None]], scores: Scores, wins: _Wins
) -> Iterator[dict[str, Any]]:
    examples = [
        (number, example)
        for number, example in lines
        if example is not None and not isinstance(example, PromptExample)
    ]
    scores.left_out += len(lines) - len(examples)
    prompts: list[tuple[Message, ...]] = []
    answers: list[str] = []
    for _, example in examples:
        own = _answers(example)
        prompts += [example.prompt] * len(own)
        answers += own
    values = iter(reward.score(prompts, answers) if answers else [])
    for number, example in examples:
        found = [next(values) for _ in _answers(example)]
        count, total, squares = scores.rewards
        scores.rewards = (
            count + len(found),
            total + math.fsum(found),
            squares + math.fsum(value * value for value in found),
        )
        scores.rows += 1
        if isinstance(example, Preference):
            margin = found[0] - found[1]
            wins.add(margin, len(example.chosen), len(example.rejected))
            yield {
                "line": number,
                "chosen": found[0],
                "rejected": found[1],
                "margin": margin,
                "p": _sigmoid(margin),
            }
        elif isinstance(example, Ranking):
            yield {"line": number, "rewards": found}
        else:
            yield {"line": number, "reward": found[0]}


def _answers(example: Preference | Ranking | Rating | Demonstration) -> list[str]:
    if isinstance(example, Preference):
        return [example.chosen, example.rejected]
    if isinstance(example, Ranking):
        return list(example.answers)
    return [example.answer]


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


class _Wins:
    """Who won and how long the answers were, three small numbers a comparison."""

    def __init__(self) -> None:
        from array import array

        self._right, self._chosen, self._rejected = array("f"), array("l"), array("l")

    def add(self, margin: float, chosen: int, rejected: int) -> None:
        self._right.append(1.0 if margin > 0 else 0.5 if margin == 0 else 0.0)
        self._chosen.append(chosen)
        self._rejected.append(rejected)

    def summary(self) -> dict[str, float]:
        if not self._right:
            return {}
        import torch

        from cai.train.intervals import pairwise_summary

        right = torch.tensor(self._right)
        lengths = torch.tensor(self._chosen), torch.tensor(self._rejected)
        return {"accuracy": float(right.mean()), **pairwise_summary(right, *lengths)}
