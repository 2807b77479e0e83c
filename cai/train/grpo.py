"""GRPO and RLOO, through TRL's trainers with every default that matters set here.

TRL's own defaults are not the papers': no divergence term (β = 0) and, where there is one, a ratio
in it, the loss of DAPO, and bfloat16 autocasting. Here GRPO is the objective of Shao et al. 2024
(arXiv:2402.03300, equations 3 and 4), and RLOO that of Ahmadian et al. 2024 (arXiv:2402.14740).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from transformers import PrinterCallback, TrainerCallback

from cai.errors import TrainingError
from cai.train import processes
from cai.train.check import check_groups
from cai.train.log import TrainLog
from cai.train.rewards.base import for_trl
from cai.train.rewards.text import repetition
from cai.train.tokens import Encoder
from cai.train.vllm_rollouts import trl_arguments
from cai.train.watch.hooks import TRLWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cai.train.examples import PromptExample
    from cai.train.rewards.base import Combined
    from cai.train.settings import GRPOConfig, OptimConfig
    from cai.train.watch import Watch

__all__ = ["train_grpo"]

_NAMES = {
    "completions/mean_length": "completion_length",
    "clip_ratio/region_mean": "clip_fraction",
    "loss": "policy_loss",
    "learning_rate": "lr",
}
_KEPT = frozenset({"reward", "reward_std", "kl", "entropy", "grad_norm", "epoch"})


def train_grpo(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[PromptExample],
    reward: Combined,
    *,
    settings: GRPOConfig,
    optim: OptimConfig,
    output: Path,
    learning_rate: float,
    method: Literal["grpo", "rloo"] = "grpo",
    reference: str | None = None,
    bf16: bool = False,
    resume: bool = False,
    callbacks: Sequence[Any] = (),
    watch: Watch | None = None,
    log: TrainLog | None = None,
    finished: Callable[[Any], None] | None = None,
) -> TrainLog:
    """Train a policy on rewards of groups of its own answers.

    Args:
        model: a causal language model; its trainable weights are trained.
        tokenizer: its tokenizer, with a chat template.
        prompts: what to answer; those longer than `optim.max_prompt_length` are left out.
        reward: scores the answers.
        settings: of both methods.
        optim: `batch_size` counts answers per optimiser step and process, a multiple of the group
            size.
        output: folder for checkpoints and log.
        learning_rate: at the peak.
        method: which objective.
        reference: folder of the model to stay near; the weights as they are now when absent.
        bf16: compute in bfloat16, which needs a GPU.
        resume: go on from the last checkpoint.
        callbacks: of transformers' `Trainer`.
        watch: looks at the policy now and then; may end the training.
        log: takes the rows; one in `output` when absent.
        finished: called with TRL's trainer when the training is over.

    Raises:
        ConfigError: batch and group do not go together.
        TrainingError: no prompt is short enough, or there is no checkpoint to go on from.
        MissingExtraError: answers are to be sampled by vLLM, and it is not installed.
    """
    import trl.trainer

    from cai.train.checkpoints import last_checkpoint
    from cai.train.trainer import one_gpu

    check_groups(settings, optim)
    short = _short_enough(tokenizer, prompts, optim.max_prompt_length)
    if log is None:
        log = TrainLog(output / "log.jsonl" if processes.is_main() else None)
    optim = optim.model_copy(update={"max_steps": _steps(settings, optim, len(short))})
    _set_reference(model, tokenizer, reference, output)
    library: Any = trl.trainer
    name = method.upper()
    kind, trainer_class = (getattr(library, f"{name}{part}") for part in ("Config", "Trainer"))
    arguments = kind(
        **_common(settings, optim, output, learning_rate),
        **_own(method, settings),
        **trl_arguments(settings.generate, optim.max_prompt_length),
        bf16=bf16,
    )
    watching = [TRLWatch(watch, log)] if watch is not None else []
    trainer = trainer_class(
        model=model,
        reward_funcs=[for_trl(reward)],
        args=one_gpu(arguments),
        train_dataset=_dataset(short, optim.batch_size // settings.group_size),
        processing_class=tokenizer,
        callbacks=[_Rows(log, reward), *watching, *callbacks],
    )
    for callback in watching:
        callback.trainer = trainer
    # It prints every row as a dict.
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=last_checkpoint(output) if resume else None)
    if finished is not None:
        finished(trainer)
    return log


def _steps(settings: GRPOConfig, optim: OptimConfig, prompts: int) -> int:
    """Optimiser steps in which each prompt is answered once per epoch, by a group.

    TRL itself would leave out prompts that do not fill a step.
    """
    if optim.max_steps is not None:
        return optim.max_steps
    answers = prompts * settings.group_size * optim.epochs
    at_once = optim.batch_size * processes.count()
    return max(1, math.ceil(answers / at_once)) * settings.updates


def _dataset(prompts: Sequence[PromptExample], groups: int) -> Any:
    """The prompts as TRL takes them; repeated where they are too few for one step.

    Args:
        prompts: at least one.
        groups: of answers, per optimiser step and process.
    """
    from datasets import Dataset

    turns = [[{"role": m.role, "content": m.content} for m in p.messages] for p in prompts]
    times = math.ceil(groups * processes.count() / len(turns))
    return Dataset.from_list([{"prompt": prompt} for prompt in turns] * times)


def _common(
    settings: GRPOConfig, optim: OptimConfig, output: Path, learning_rate: float
) -> dict[str, Any]:
    """The arguments that both of TRL's configs have."""
    steps = {"max_steps": optim.max_steps} if optim.max_steps else {}
    return {
        **steps,
        "output_dir": str(output / "checkpoints"),
        "num_train_epochs": optim.epochs,
        "per_device_train_batch_size": optim.micro_batch_size,
        "gradient_accumulation_steps": optim.batch_size // optim.micro_batch_size,
        "steps_per_generation": optim.batch_size // optim.micro_batch_size,
        "learning_rate": learning_rate,
        "lr_scheduler_type": optim.schedule,
        "warmup_steps": optim.warmup,
        "weight_decay": optim.weight_decay,
        "max_grad_norm": optim.max_grad_norm,
        "gradient_checkpointing": optim.gradient_checkpointing,
        "seed": optim.seed,
        "data_seed": optim.seed,
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": optim.checkpoint_every,
        "save_total_limit": optim.keep_checkpoints,
        "report_to": list(optim.report_to) or "none",
        "disable_tqdm": True,
        "use_cpu": not torch.cuda.is_available(),
        "fp16": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "num_generations": settings.group_size,
        "max_completion_length": settings.generate.max_tokens,
        "temperature": settings.generate.temperature,
        "top_p": settings.generate.top_p,
        "top_k": 0,
        "repetition_penalty": 1.0,
        "beta": settings.beta,
        "epsilon": settings.clip,
        "num_iterations": settings.updates,
        "mask_truncated_completions": False,
        "disable_dropout": True,
        "shuffle_dataset": True,
    }


def _own(method: str, settings: GRPOConfig) -> dict[str, Any]:
    """The arguments of one method alone."""
    if method == "rloo":
        # Leave-one-out differences as they are; RLOO has one loss.
        return {"normalize_advantages": False}
    return {
        "loss_type": settings.loss,
        "scale_rewards": settings.scale_rewards,
        "importance_sampling_level": "token",
        # The paper's divergence term has no importance ratio; TRL's default multiplies by one.
        "use_bias_correction_kl": False,
        "top_entropy_quantile": 1.0,
    }


def _short_enough(
    tokenizer: Any, prompts: Sequence[PromptExample], longest: int
) -> list[PromptExample]:
    encoder = Encoder(tokenizer, longest)
    short = [prompt for prompt in prompts if len(encoder.prompt(prompt.messages)) <= longest]
    if not short:
        raise TrainingError(
            f"None of the {len(prompts)} prompts has at most {longest} tokens. Raise "
            "training.max_prompt_length."
        )
    return short


def _set_reference(model: Any, tokenizer: Any, reference: str | None, output: Path) -> None:
    """TRL loads the reference from where the model says that it comes from."""
    if hasattr(model, "disable_adapter"):
        return
    if reference is not None:
        model.config._name_or_path = reference
    elif not model.config._name_or_path or not Path(model.config._name_or_path).is_dir():
        folder = output / "reference"
        with processes.main_first():
            if not folder.is_dir():
                model.save_pretrained(folder, safe_serialization=True)
                tokenizer.save_pretrained(folder)
        model.config._name_or_path = str(folder)


class _Rows(TrainerCallback):
    """Puts the rows of TRL's log under our names, with each component of the reward."""

    def __init__(self, log: TrainLog, reward: Combined) -> None:
        self._log = log
        self._reward = reward

    def on_log(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Take the figures of a step."""
        logs: Mapping[str, float] = rest["logs"]
        row = {_NAMES.get(k, k): v for k, v in logs.items() if k in _NAMES or k in _KEPT}
        if "completions/clipped_ratio" in logs:
            row["eos_share"] = 1.0 - logs["completions/clipped_ratio"]
        if "reward" in row:
            parts, texts = self._reward.last.items(), self._reward.answers
            own = {f"reward/{name}": sum(v) / len(v) for name, v in parts if v}
            own["repetition"] = sum(map(repetition, texts)) / len(texts)
            row |= processes.means(own)
            self._log.append(step=state.global_step, **row)
