"""Scoring answers with reward models that the pipeline has trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.records import Subject
    from cai.records import Message

__all__ = ["learned_scores"]


def learned_scores(
    subject: Subject, max_length: int, asked: Sequence[tuple[tuple[Message, ...], str]]
) -> list[float]:
    """The rewards of prompts with answers; the model is opened for this, and let go afterwards.

    Args:
        subject: its model names the folder.
        max_length: most tokens of prompt and answer.
        asked: prompts with answers.

    Raises:
        FatalEngineError: there is no such model, or it cannot run here.
    """
    if not asked:
        return []
    from cai.engines.inprocess.loading import quiet
    from cai.train.rewards.learned import LearnedReward

    with quiet():
        reward = LearnedReward.load(subject.model.model, max_length=max_length)
    return reward.score([prompt for prompt, _ in asked], [text for _, text in asked])
