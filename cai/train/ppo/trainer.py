"""The loop of PPO: sample, reward, learn, and again."""

from __future__ import annotations

import math
from collections import defaultdict
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from cai.errors import TrainingError
from cai.hashing import unit_interval
from cai.train.log import TrainLog
from cai.train.losses.advantages import masked_mean
from cai.train.losses.kl import AdaptiveKL, FixedKL, kl_estimate
from cai.train.losses.policy import clipped_policy_loss, clipped_value_loss
from cai.train.ppo.actor_critic import ActorCritic, log_probs_of
from cai.train.ppo.checkpoint import load_checkpoint, save_checkpoint
from cai.train.ppo.rollout import generate, lessons_of, texts_of
from cai.train.rewards.text import repetition
from cai.train.schedule import make_optimizer
from cai.train.sharded import refuse_ppo
from cai.train.vllm_rollouts import VllmSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from cai.train.examples import PromptExample
    from cai.train.ppo.rollout import Answers, Lessons
    from cai.train.rewards.base import Combined
    from cai.train.settings import OptimConfig, PPOConfig

__all__ = ["PPOTrainer"]

_SEEDS = 2**31
_AVERAGED = ("policy_loss", "value_loss", "clip_fraction", "approx_kl", "grad_norm")


@dataclass
class _Update:
    """What one round of sampling gave: answers, what to learn from them, and figures."""

    answers: Answers
    lessons: Lessons
    figures: dict[str, float]


class PPOTrainer:
    """Trains a policy on rewards of its own answers.

    Schulman et al. 2017 (arXiv:1707.06347) as used for language models by Ziegler et al. 2019
    (arXiv:1909.08593) and Ouyang et al. 2022 (arXiv:2203.02155). Everything random is seeded by the
    seed and the number of the update, so a training that is resumed repeats nothing and goes on bit
    for bit.

    Args:
        model: a causal language model; its trainable weights are trained.
        tokenizer: its tokenizer.
        prompts: what to answer, in a fixed order, over and over.
        reward: scores the answers.
        settings: of PPO.
        optim: steps, rates, batches, seed and checkpoints. `max_steps` counts optimiser steps, of
            which each update makes `epochs` × `minibatches`.
        output: folder for checkpoints and log.
        bf16: compute in bfloat16, which needs a GPU. Logits are in float32 all the same.
        reference: what the policy stays near; for a model with adapters, the model without them
            when absent.
        critic: a decoder with a linear `score`, for `critic: separate`.
        log: takes the rows; one in `output` when absent.
        after_update: called after each update with its number, the trainer, and the log's row; what
            it returns ends the training when true.

    Raises:
        TrainingError: there are no prompts, no reference, or no critic where one is needed; or the
            launcher spreads weights over processes.
        MissingExtraError: answers are to be sampled by vLLM, and it is not installed.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        prompts: Sequence[PromptExample],
        reward: Combined,
        *,
        settings: PPOConfig,
        optim: OptimConfig,
        output: Path,
        learning_rate: float,
        bf16: bool = False,
        reference: Any = None,
        critic: Any = None,
        log: TrainLog | None = None,
        after_update: Callable[[int, PPOTrainer, dict[str, float]], bool] | None = None,
    ) -> None:
        from accelerate import Accelerator

        _check(model, prompts, reference, critic, settings)
        self.accelerator = Accelerator(
            cpu=not torch.cuda.is_available(), mixed_precision="bf16" if bf16 else "no"
        )
        self.tokenizer, self.settings, self.optim = tokenizer, settings, optim
        self.output, self.reward = output, reward
        self._prompts = tuple(prompts)
        self._after_update = after_update
        self.updates = self._count_updates()
        actor = ActorCritic(model, settings.generate.temperature, critic)
        _quiet_dropout(actor)
        steps = self.updates * settings.epochs * settings.minibatches
        optimizer, schedule = make_optimizer(actor, optim, learning_rate, steps)
        self.actor, self.optimizer = self.accelerator.prepare(actor, optimizer)
        self.schedule = schedule
        self._reference = reference.to(self.accelerator.device).eval() if reference else None
        self.controller: FixedKL | AdaptiveKL = (
            FixedKL(settings.kl)
            if settings.kl_target is None
            else AdaptiveKL(settings.kl, settings.kl_target, settings.kl_horizon)
        )
        self.log = log if log is not None else TrainLog()
        self._own_log = log is None
        self._sampler: VllmSampler | None = None
        if settings.generate.vllm is not None:
            longest = optim.max_prompt_length
            self._sampler = VllmSampler(
                self.policy, tokenizer, self.accelerator, settings.generate, longest
            )

    @property
    def policy(self) -> Any:
        """The model that is trained, without what training has wrapped around it."""
        return self.accelerator.unwrap_model(self.actor).policy

    def train(self, *, resume: bool = False) -> TrainLog:
        """Make all updates, or those that are left.

        Args:
            resume: go on from the last checkpoint.

        Raises:
            TrainingError: there is no checkpoint to go on from, or the loss is no number.
        """
        first = load_checkpoint(self) if resume else 0
        if self._own_log and self.accelerator.is_main_process:
            path = self.output / "log.jsonl"
            self.log = TrainLog.resume(path, self._steps(first)) if resume else TrainLog(path)
        for number in range(first, self.updates):
            row = self.update(number)
            self.log.append(**row)
            ended = bool(self._after_update and self._after_update(number + 1, self, row))
            every = max(1, self.optim.checkpoint_every // self._steps(1))
            if (number + 1) % every == 0 or ended or number + 1 == self.updates:
                save_checkpoint(self, number + 1)
            if ended:
                break
        return self.log

    def update(self, number: int) -> dict[str, float]:
        """Sample, reward and learn once; returns the figures."""
        rank = self.accelerator.process_index
        torch.manual_seed(int(unit_interval("ppo", self.optim.seed, number, rank) * _SEEDS))
        found = self._sample(number)
        self.controller.update(
            found.figures["kl"], self.settings.rollouts * self.accelerator.num_processes
        )
        figures = {**found.figures, **self._learn(found, number)}
        if not math.isfinite(figures["policy_loss"] + figures["value_loss"]):
            raise TrainingError(
                f"The loss of update {number + 1} is no number. Lower training.learning_rate, or "
                "train in float32."
            )
        return {"step": self._steps(number + 1), "kl_weight": self.controller.weight, **figures}

    def _steps(self, updates: int) -> int:
        return updates * self.settings.epochs * self.settings.minibatches

    def _count_updates(self) -> int:
        per_update: int = self.settings.rollouts * self.accelerator.num_processes
        if self.optim.max_steps is not None:
            return math.ceil(self.optim.max_steps / self._steps(1))
        return max(1, math.ceil(len(self._prompts) * self.optim.epochs / per_update))

    def _batch(self, number: int) -> list[PromptExample]:
        """The prompts of an update of this process, in turn."""
        count, processes = self.settings.rollouts, self.accelerator.num_processes
        start = (number * processes + self.accelerator.process_index) * count
        return [self._prompts[(start + i) % len(self._prompts)] for i in range(count)]

    @torch.no_grad()
    def _sample(self, number: int) -> _Update:
        prompts = self._batch(number)
        how, longest = self.settings.generate, self.optim.max_prompt_length
        with self.accelerator.autocast():
            answers = generate(
                *(self.policy, self.tokenizer, prompts, how, longest), sampler=self._sampler
            )
        texts = texts_of(answers, self.tokenizer)
        scores = self.reward.score([p.messages for p in prompts], texts)
        parts = [self._scored(answers.part(s)) for s in self._slices(len(prompts))]
        log_probs, values, entropy, reference = (torch.cat(x) for x in zip(*parts, strict=True))
        lessons = lessons_of(
            *(answers, log_probs, values, reference),
            torch.tensor(scores, device=log_probs.device),
            *(self.settings, self.controller.weight),
        )
        weights = answers.mask.to(log_probs.dtype)
        per_answer = (kl_estimate(log_probs, reference, "k1") * weights).sum(-1)
        figures = {
            "reward": sum(scores) / len(scores),
            **{f"reward/{n}": sum(v) / len(v) for n, v in self.reward.last.items()},
            "kl": float(per_answer.mean()),
            "entropy": float(masked_mean(entropy, weights)),
            "value": float(masked_mean(values, weights)),
            "completion_length": float(weights.sum(-1).mean()),
            "eos_share": float(answers.ended.float().mean()),
            "repetition": sum(map(repetition, texts)) / len(texts),
        }
        return _Update(answers, lessons, self._over_processes(figures))

    def _scored(self, answers: Answers) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Log-probabilities, values, entropy, and the reference's log-probabilities."""
        actor = self.accelerator.unwrap_model(self.actor)
        policy, temperature = actor.policy, self.settings.generate.temperature
        # The policy, with its adapters off, is the reference where there is no other.
        still = policy.disable_adapter() if self._reference is None else nullcontext()
        with self.accelerator.autocast():
            scored = actor(answers)
            with still:
                reference = log_probs_of(self._reference or policy, answers, temperature)
        return scored.log_probs, scored.values, scored.entropy, reference

    def _learn(self, found: _Update, number: int) -> dict[str, float]:
        """Passes over the answers; returns figures averaged over the optimiser steps."""
        settings, sums, first = self.settings, defaultdict[str, float](float), True
        count = settings.rollouts
        size = count // settings.minibatches
        for epoch in range(settings.epochs):
            shuffle = torch.Generator().manual_seed(
                int(unit_interval("order", self.optim.seed, number, epoch) * _SEEDS)
            )
            order = torch.randperm(count, generator=shuffle)
            for start in range(0, count, size):
                figures = self._step(found, order[start : start + size])
                if first:
                    sums["ratio_first"], first = figures["ratio"], False
                for name in _AVERAGED:
                    sums[name] += figures[name] / self._steps(1)
        return self._over_processes(dict(sums)) | {"lr": self.schedule.get_last_lr()[0]}

    def _step(self, found: _Update, index: Tensor) -> dict[str, float]:
        """One optimiser step on a minibatch, in parts that fit into memory."""
        sums: dict[str, float] = defaultdict(float)
        total = found.answers.mask[index].sum()
        parts = [index[s] for s in self._slices(len(index))]
        for position, part in enumerate(parts):
            # Processes exchange gradients once per step, with the last part.
            last = position == len(parts) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.actor):
                loss, figures = self._loss(found.answers.part(part), found.lessons.part(part))
                share = float(found.answers.mask[part].sum() / total)
                self.accelerator.backward(loss * share)
            for name, value in figures.items():
                sums[name] += value * share
        norm = self.accelerator.clip_grad_norm_(self.actor.parameters(), self.optim.max_grad_norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        return {**sums, "grad_norm": float(norm)}

    def _loss(self, answers: Answers, lessons: Lessons) -> tuple[Tensor, dict[str, float]]:
        settings = self.settings
        scored = self.actor(answers)
        weights = answers.mask.to(scored.log_probs.dtype)
        policy, outside = clipped_policy_loss(
            scored.log_probs, lessons.log_probs, lessons.advantages, weights, settings.clip
        )
        value = clipped_value_loss(
            scored.values, lessons.values, lessons.returns, weights, settings.value_clip
        )
        loss = policy + settings.value_coefficient * value
        loss = loss - settings.entropy_coefficient * masked_mean(scored.entropy, weights)
        if settings.kl_in == "loss":
            divergence = kl_estimate(scored.log_probs, lessons.reference, settings.kl_estimator)
            loss = loss + self.controller.weight * masked_mean(divergence, weights)
        moved = (scored.log_probs - lessons.log_probs).detach()
        return loss, {
            "policy_loss": float(policy.detach()),
            "value_loss": float(value.detach()),
            "clip_fraction": float(outside),
            "approx_kl": float(masked_mean(kl_estimate(-moved, 0 * moved, "k3"), weights)),
            "ratio": float(masked_mean(moved.exp(), weights)),
        }

    def _slices(self, count: int) -> list[slice]:
        size = self.optim.micro_batch_size
        return [slice(start, start + size) for start in range(0, count, size)]

    def _over_processes(self, figures: dict[str, float]) -> dict[str, float]:
        if self.accelerator.num_processes == 1:
            return figures
        local = torch.tensor(list(figures.values()), device=self.accelerator.device)
        means = self.accelerator.reduce(local, reduction="mean").tolist()
        return dict(zip(figures, means, strict=True))


def _check(
    model: Any, prompts: Sequence[Any], reference: Any, critic: Any, settings: PPOConfig
) -> None:
    refuse_ppo()
    if not prompts:
        raise TrainingError("There are no prompts to answer. Name a source with a train split.")
    if reference is None and not hasattr(model, "disable_adapter"):
        raise TrainingError(
            "PPO needs a reference to stay near: a second copy of the model, or a model with "
            "adapters, whose base is the reference."
        )
    if settings.critic == "separate" and critic is None:
        raise TrainingError("ppo.critic: separate needs a critic. Set ppo.critic_model.")


def _quiet_dropout(module: torch.nn.Module) -> None:
    """Switch dropout off: the ratio of the first minibatch would not be 1 with it."""
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
