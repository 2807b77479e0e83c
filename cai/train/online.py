"""Carrying out the trainings that sample and reward answers: ppo, grpo and rloo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.train.data import load_data, mix
from cai.train.examples import PromptExample
from cai.train.models import load_policy, load_reward_model
from cai.train.offline import Trained
from cai.train.rewards.opening import open_rewards
from cai.train.settings import ModelConfig
from cai.train.trainer import learning_rate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cai.train.data import Validation
    from cai.train.log import TrainLog
    from cai.train.settings import Method, TrainConfig

__all__ = ["train_online"]


def train_online(
    method: Method,
    config: TrainConfig,
    output: Path,
    log: TrainLog,
    *,
    resume: bool,
    validation: Validation | None,
    say: Callable[[str], None],
) -> Trained:
    """Read the prompts, load policy and rewards, and train.

    Raises:
        CaiError: as `load_data`, `load_policy`, `open_rewards` and the trainers.
    """
    data = load_data(PromptExample, config, validation=validation)
    # Several answers to one prompt are several rows of a file; each prompt counts once.
    prompts = list({p.id: p for p in mix(data.train, data.weights, 0)}.values())
    reward = open_rewards(config.rewards, config.training.max_length)
    policy = load_policy(config.model)
    adapters = config.model.adapt in ("lora", "qlora")
    options: dict[str, Any] = {
        "optim": config.training,
        "output": output,
        "learning_rate": learning_rate(method, config.training, adapters=adapters),
    }
    say(f"{method} on {len(prompts):,} prompts …")
    if method == "ppo":
        _ppo(config, policy, prompts, reward, log, resume, options)
    else:
        from cai.train.grpo import train_grpo

        train_grpo(
            *(policy.model, policy.tokenizer, prompts, reward),
            settings=config.grpo,
            method="rloo" if method == "rloo" else "grpo",
            reference=config.reference,
            resume=resume,
            log=log,
            **options,
        )
    dev = {}
    if rows := [row for row in log.rows if "reward" in row]:
        ends = rows[: max(1, len(rows) // 10)], rows[-max(1, len(rows) // 10) :]
        first, last = (sum(r["reward"] for r in part) / len(part) for part in ends)
        dev = {"reward_first_tenth": first, "reward_last_tenth": last, "kl": rows[-1]["kl"]}
    return Trained(policy, data, dev, {})


def _ppo(
    config: TrainConfig,
    policy: Any,
    prompts: list[PromptExample],
    reward: Any,
    log: TrainLog,
    resume: bool,
    options: dict[str, Any],
) -> None:
    from cai.train.ppo import PPOTrainer

    settings, reference, critic = config.ppo, None, None
    if config.reference or config.model.adapt not in ("lora", "qlora"):
        still: dict[str, Any] = {"adapt": "full", "name": config.reference or config.model.name}
        reference = load_policy(config.model.model_copy(update=still)).model
    if settings.critic == "separate":
        name = settings.critic_model or config.model.name
        critic = load_reward_model(ModelConfig(name=name), training=True).model
    trainer = PPOTrainer(
        *(policy.model, policy.tokenizer, prompts, reward),
        settings=settings,
        reference=reference,
        critic=critic,
        **options,
    )
    rows = trainer.train(resume=resume).rows
    log.rows[:] = rows
