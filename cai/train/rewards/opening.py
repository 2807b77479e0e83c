"""From the config to rewards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.errors import ConfigError
from cai.train.rewards.base import Combined
from cai.train.rewards.text import LengthPenalty, PythonReward, RepetitionPenalty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.train.rewards.base import Reward
    from cai.train.settings import RewardConfig

__all__ = ["open_rewards"]


def open_rewards(configs: Sequence[RewardConfig], max_length: int) -> Combined:
    """Load and add up the rewards of a config.

    Args:
        configs: at least one.
        max_length: most tokens of prompt and answer that a model is shown.

    Raises:
        ConfigError: there are none, or a function cannot be found.
        FatalEngineError: a reward model cannot be loaded.
    """
    if not configs:
        raise ConfigError(
            "ppo, grpo and rloo need a reward, and the config has none. For example:\n"
            "rewards:\n  - kind: model\n    path: models/rm\n  - kind: length\n    weight: 0.5"
        )
    return Combined([(_open(config, max_length), config.weight) for config in configs])


def _open(config: RewardConfig, max_length: int) -> Reward:
    if config.kind == "length":
        return LengthPenalty(config.target)
    if config.kind == "repetition":
        return RepetitionPenalty(config.ngram)
    assert config.path is not None
    if config.kind == "python":
        return PythonReward(config.path)
    from cai.train.rewards.learned import LearnedReward

    return LearnedReward.load(config.path, max_length=max_length)
