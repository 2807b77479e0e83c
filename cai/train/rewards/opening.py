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


def open_rewards(configs: Sequence[RewardConfig], max_length: int = 512) -> Combined:
    """Load and add up the rewards of a config. `Combined.close` gives back what they hold.

    Args:
        configs: at least one.
        max_length: most tokens of prompt and answer that a reward model is shown.

    Raises:
        ConfigError: there are none, or a function or config cannot be used.
        EngineError: a reward model or judge cannot be started.
    """
    if not configs:
        raise ConfigError(
            "ppo, grpo and rloo need a reward, and the config has none. For example:\n"
            "rewards:\n  - kind: model\n    path: models/rm\n  - kind: length\n    weight: 0.5"
        )
    opened: list[tuple[Reward, float]] = []
    try:
        # What was opened before one fails is in the list, and is closed below.
        opened.extend((_open(config, max_length), config.weight) for config in configs)
    except BaseException:
        if opened:
            Combined(opened).close()
        raise
    return Combined(opened)


def _open(config: RewardConfig, max_length: int) -> Reward:
    if config.kind == "length":
        return LengthPenalty(config.target)
    if config.kind == "repetition":
        return RepetitionPenalty(config.ngram)
    if config.kind == "python":
        return PythonReward(_named(config.path))
    if config.kind == "model":
        from cai.train.rewards.learned import LearnedReward

        return LearnedReward.load(_named(config.path), max_length=max_length)
    from cai.train.rewards.constitution import ConstitutionReward, PropositionReward

    if config.kind == "constitution":
        return ConstitutionReward.open(_named(config.config))
    return PropositionReward.open(_named(config.config), config.propositions)


def _named(value: str | None) -> str:
    if value is None:  # the config's own check comes first; this one is for configs made by hand
        raise ConfigError("A reward lacks its 'path' or 'config'. Name it under `rewards:`.")
    return value
