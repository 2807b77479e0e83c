"""Scoring answers with a trained reward model, with progress on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cai.evaluate.reward_model import LabelledPair, ScoredPair
    from cai.records import Message
    from cai.train.rewards import Reward

__all__ = ["Scorer"]

_AT_ONCE = 64


class Scorer:
    """A reward model, opened when something is to be scored. `scored` counts answers."""

    def __init__(self, model: Path, max_length: int) -> None:
        """Take its folder, and the most tokens of prompt and answer that it is shown."""
        self._model, self._max_length = model, max_length
        self._reward: Reward | None = None
        self.scored = 0

    def pairs(self, pairs: Sequence[LabelledPair]) -> list[ScoredPair]:
        """Both answers of each pair.

        Raises:
            FatalEngineError: there is no such model, or it cannot run here.
        """
        from cai.evaluate.reward_model import ScoredPair

        both = [(one.prompt, text) for one in pairs for text in (one.chosen, one.rejected)]
        found = self.score(both, "Answers of pairs")
        return [ScoredPair.of(one, *found[2 * i : 2 * i + 2]) for i, one in enumerate(pairs)]

    def score(self, asked: Sequence[tuple[tuple[Message, ...], str]], what: str) -> list[float]:
        """Rewards of prompts with answers; `what` they are called in the lines of progress.

        Raises:
            FatalEngineError: there is no such model, or it cannot run here.
        """
        from cai.cli.output import error_console
        from cai.engines.inprocess.loading import quiet
        from cai.train.rewards.learned import LearnedReward

        found: list[float] = []
        if asked and self._reward is None:
            with quiet():
                self._reward = LearnedReward.load(self._model, max_length=self._max_length)
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            if self._reward is not None:
                found += self._reward.score([p for p, _ in some], [text for _, text in some])
            error_console().print(f"{what}: {len(found):,} of {len(asked):,}", soft_wrap=True)
        self.scored += len(found)
        return found
