"""From the config to a watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.errors import ConfigError
from cai.hashing import unit_interval
from cai.train import processes
from cai.train.check import check_watch
from cai.train.rewards.opening import open_rewards
from cai.train.watch.watcher import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cai.train.examples import PromptExample
    from cai.train.log import TrainLog
    from cai.train.rewards.base import Combined
    from cai.train.settings import GenerateConfig, TrainConfig

__all__ = ["open_watch"]

_FEW = 16


def open_watch(
    config: TrainConfig,
    tokenizer: Any,
    proxy: Combined,
    dev: Sequence[PromptExample],
    *,
    generate: GenerateConfig,
    kl_weight: float,
    folder: Path,
    log: TrainLog,
    say: Callable[[str], None],
) -> Watch:
    """Load gold and refusal rewards, and draw the prompts.

    Only the main process watches; the others get a watch that has nothing loaded.

    Args:
        config: whose `watch` is opened.
        tokenizer: of the policy.
        proxy: the reward that is trained on.
        dev: prompts that are not trained on.
        generate: how the policy answers.
        kl_weight: of the divergence in the training.
        folder: of the training.
        log: of the training.
        say: is told what happens.

    Raises:
        ConfigError: the gold is a reward that is trained on, there are no dev prompts to answer, or
            a rollback could not raise the weight of the divergence.
        EngineError: a reward model or judge cannot be started.
    """
    watch = config.watch
    check_watch(config, kl_weight)
    wanted = bool(watch.gold) or watch.refusal is not None
    if wanted and not dev:
        raise ConfigError(
            "watch: gold and refusal need dev prompts, and the data have none. Take a run with a "
            "dev split, or set data.dev_share above 0."
        )
    chosen = sorted(dev, key=lambda p: unit_interval("watch", config.training.seed, p.id))
    if wanted and len(chosen) < _FEW:
        say(f"The watch has only {len(chosen)} dev prompts: it will notice only a large fall.")
    length, looks = config.training.max_length, processes.is_main()
    gold = open_rewards(watch.gold, length) if watch.gold and looks else None
    return Watch(
        watch,
        tokenizer,
        proxy,
        gold=gold,
        refusal=open_rewards([watch.refusal], length) if watch.refusal and looks else None,
        prompts=chosen[: watch.prompts],
        generate=generate,
        longest_prompt=config.training.max_prompt_length,
        seed=config.training.seed,
        folder=folder,
        log=log,
        say=say,
    )
