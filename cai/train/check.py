"""What is wrong with the settings of an online training before anything is loaded or asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.errors import ConfigError

if TYPE_CHECKING:
    from cai.train.settings import GRPOConfig, Method, OptimConfig, TrainConfig

__all__ = ["check_groups", "check_online", "check_watch"]


def check_online(method: Method, config: TrainConfig) -> None:
    """All checks of a method that samples answers.

    Args:
        method: `ppo`, `grpo` or `rloo`.
        config: of the training.

    Raises:
        ConfigError: there is no reward, groups would be cut, or the watch cannot do its work.
    """
    if not config.rewards:
        raise ConfigError(
            f"{method} needs a reward, and the config has none. For example:\n"
            "rewards:\n  - kind: model\n    path: models/rm\n  - kind: length\n    weight: 0.5"
        )
    if method != "ppo":
        check_groups(config.grpo, config.training)
    check_watch(config, config.ppo.kl if method == "ppo" else config.grpo.beta)


def check_groups(settings: GRPOConfig, optim: OptimConfig) -> None:
    """A batch must hold whole groups.

    Raises:
        ConfigError: it does not.
    """
    if optim.batch_size % settings.group_size:
        raise ConfigError(
            f"training.batch_size {optim.batch_size} must be a multiple of grpo.group_size "
            f"{settings.group_size}: it counts answers, and groups are never cut."
        )


def check_watch(config: TrainConfig, kl_weight: float) -> None:
    """The gold must be independent, and a rollback must be able to change something.

    Args:
        config: of the training.
        kl_weight: of the divergence.

    Raises:
        ConfigError: the gold is a reward that is trained on, or a rollback could not raise the
            weight of the divergence.
    """
    watch = config.watch
    plain = [reward.model_copy(update={"weight": 1.0}) for reward in config.rewards]
    for reward in watch.gold:
        if reward.model_copy(update={"weight": 1.0}) in plain:
            raise ConfigError(
                f"watch.gold: {reward.path or reward.config or reward.kind} is also trained on, so "
                "it cannot show that the reward is hacked. Name another reward model or judge."
            )
    if watch.action == "rollback" and (kl_weight == 0.0 or not watch.gold):
        raise ConfigError(
            "watch.action: rollback goes back to the weights that watch.gold liked best and "
            "doubles the weight of the divergence. It needs a gold "
            f"(got {len(watch.gold)}) and a weight above 0 (got {kl_weight:g}). Set both, or "
            "choose action: stop."
        )
