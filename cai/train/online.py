"""Carrying out the trainings that sample and reward answers: ppo, grpo and rloo."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cai.train import processes
from cai.train.check import check_online
from cai.train.data import load_data, mix
from cai.train.examples import PromptExample
from cai.train.models import autocasts, load_policy, load_reward_model, trainable_share
from cai.train.offline import Trained
from cai.train.rewards.opening import open_rewards
from cai.train.settings import ModelConfig
from cai.train.sharded import whole_model
from cai.train.trainer import learning_rate
from cai.train.watch import open_watch, watch_ppo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from cai.train.gate import Validation
    from cai.train.log import TrainLog
    from cai.train.models import Policy
    from cai.train.rewards.base import Combined
    from cai.train.settings import Method, TrainConfig
    from cai.train.watch import Watch

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
        CaiError: as `check_online`, `load_data`, `load_policy`, `open_rewards` and the trainers.
    """
    check_online(method, config)
    data = load_data(PromptExample, config, validation=validation)
    with ExitStack() as held:
        reward = open_rewards(config.rewards, config.training.max_length)
        held.callback(reward.close)
        policy = load_policy(config.model)
        share = trainable_share(policy.model)
        own = config.ppo if method == "ppo" else config.grpo
        watch = open_watch(
            *(config, policy.tokenizer, reward, _once_each(data.dev)),
            generate=own.generate,
            kl_weight=config.ppo.kl if method == "ppo" else config.grpo.beta,
            folder=output,
            log=log,
            say=say,
        )
        held.callback(watch.close)
        if resume:
            watch.resume(int(max(log.column("step"), default=0)))
        prompts = _once_each(mix(data.train, data.weights, 0))
        say(f"{method} on {len(prompts):,} prompts …")
        job = _Job(method, config, policy, prompts, reward, watch, log, resume, output)
        whole = job.ppo() if method == "ppo" else job.grpo()
        seen: tuple[str, ...] = ()
        if processes.is_main():
            watch.finish(whole)
            seen = watch.summary()
    return Trained(replace(policy, model=whole), data, _figures(log), {}, watch=seen, share=share)


def _once_each(prompts: Iterable[PromptExample]) -> list[PromptExample]:
    """Several answers to one prompt are several rows of a file; each prompt counts once."""
    return list({prompt.id: prompt for prompt in prompts}.values())


def _figures(log: TrainLog) -> dict[str, float]:
    """Where the reward began and ended, and how far the policy has gone."""
    rows = [row for row in log.rows if "reward" in row]
    if not rows:
        return {}
    ends = rows[: max(1, len(rows) // 10)], rows[-max(1, len(rows) // 10) :]
    first, last = (sum(row["reward"] for row in part) / len(part) for part in ends)
    return {"reward_first_tenth": first, "reward_last_tenth": last, "kl": rows[-1]["kl"]}


@dataclass(frozen=True)
class _Job:
    """Everything that a trainer is built from."""

    method: Method
    config: TrainConfig
    policy: Policy
    prompts: list[PromptExample]
    reward: Combined
    watch: Watch
    log: TrainLog
    resume: bool
    output: Path

    def grpo(self) -> Any:
        """Train with GRPO or RLOO; returns the model in one piece."""
        from cai.train.grpo import train_grpo

        whole: list[Any] = []

        def keep(trainer: Any) -> None:
            whole.append(whole_model(trainer, self.policy.model, self.config.model))

        train_grpo(
            *(self.policy.model, self.policy.tokenizer, self.prompts, self.reward),
            settings=self.config.grpo,
            method="rloo" if self.method == "rloo" else "grpo",
            reference=self.config.reference,
            resume=self.resume,
            watch=self.watch,
            finished=keep,
            **self._common(),
        )
        return whole[0]

    def ppo(self) -> Any:
        """Train with PPO; returns the model."""
        from cai.train.ppo import PPOTrainer

        settings, critic = self.config.ppo, None
        if settings.critic == "separate":
            name = settings.critic_model or self.config.model.name
            critic = load_reward_model(ModelConfig(name=name), training=True).model
        trainer = PPOTrainer(
            *(self.policy.model, self.policy.tokenizer, self.prompts, self.reward),
            settings=settings,
            reference=self._reference(),
            critic=critic,
            after_update=watch_ppo(self.watch),
            **self._common(),
        )
        if processes.is_main():
            self.watch.begin(trainer.policy)
        trainer.train(resume=self.resume)
        return self.policy.model

    def _common(self) -> dict[str, Any]:
        optim, adapters = self.config.training, self._has_adapters()
        return {
            "optim": optim,
            "output": self.output,
            "learning_rate": learning_rate(self.method, optim, adapters=adapters),
            "bf16": autocasts(self.config.model),
            "log": self.log,
        }

    def _reference(self) -> Any:
        """A second model to stay near; none where the first without its adapters is that."""
        model, name = self.config.model, self.config.reference
        if name is None and self._has_adapters():
            return None
        still = model.model_copy(update={"name": name or model.name})
        return load_policy(still, training=False).model

    def _has_adapters(self) -> bool:
        return self.config.model.adapt in ("lora", "qlora")
