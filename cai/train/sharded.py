"""Weights that FSDP or DeepSpeed spreads over processes: their limits, and how they come together.

Every process loads the whole model first. What is sharded is the training: weights, gradients and
the state of the optimiser.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cai.errors import TrainingError
from cai.train import processes
from cai.train.models import load_policy, load_reward_model, weights_dtype

if TYPE_CHECKING:
    from cai.train.settings import Method, ModelConfig, TrainConfig

__all__ = ["check_sharding", "refuse_ppo", "whole_model"]

_DDP = "accelerate launch --multi_gpu"


def check_sharding(method: Method, config: TrainConfig) -> None:
    """Refuse what does not go together with sharded weights, before anything is loaded.

    Raises:
        TrainingError: the training or the launcher's config needs something else.
    """
    kind = processes.sharding()
    if kind is None:
        return
    if method == "ppo":
        refuse_ppo()
    if config.model.adapt == "qlora":
        raise TrainingError(
            f"adapt: qlora holds weights in 4 bits, which are not put together again under {kind}. "
            f"Use adapt: lora, or start the training with {_DDP}."
        )
    looks = config.watch.gold or config.watch.refusal is not None
    if looks and method in ("grpo", "rloo"):
        raise TrainingError(
            f"watch: gold and refusal answer prompts in one process, and {kind} leaves none with "
            f"all weights. Leave them out, or start the training with {_DDP}."
        )
    _check_launcher(kind)


def refuse_ppo() -> None:
    """Say that PPO is for whole weights.

    Raises:
        TrainingError: the launcher spreads them.
    """
    kind = processes.sharding()
    if kind is not None:
        raise TrainingError(
            f"ppo samples from the weights that it trains, and {kind} spreads them over processes. "
            f"Allowed is data parallelism: start it with {_DDP}. grpo and rloo also run under "
            f"{kind}."
        )


def whole_model(trainer: Any, model: Any, config: ModelConfig, *, reward: bool = False) -> Any:
    """The trained model in one piece. Under FSDP and DeepSpeed all processes must call this.

    Args:
        trainer: transformers' `Trainer`, after training.
        model: what it was given.
        config: what that was loaded from.
        reward: whether it is a reward model.

    Returns:
        The model; under FSDP and DeepSpeed a new one on the CPU of the main process, and None in
        the others.

    Raises:
        TrainingError: the launcher's library did not give back all trained weights.
    """
    if processes.sharding() is None:
        return model
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not processes.is_main():
        return None
    if processes.sharding() == "DeepSpeed":
        from transformers.integrations import deepspeed

        forget: Any = deepspeed.unset_hf_deepspeed_config
        # Else the new model would be spread over processes that are not here.
        forget()
    dtype = weights_dtype(config, training=True)
    plain = config.model_copy(update={"device": "cpu", "dtype": dtype})
    load = load_reward_model if reward else load_policy
    whole = load(plain, training=True).model
    lost = [n for n, p in whole.named_parameters() if p.requires_grad and n not in state]
    if lost:
        raise TrainingError(
            f"{processes.sharding()} gave back no {lost[0]} ({len(lost)} weights are missing), so "
            "the model cannot be saved. The last checkpoint is kept: go on with --resume."
        )
    # Names that are left over belong to copies that the trainer made for itself.
    whole.load_state_dict(state, strict=False)
    return whole


def _check_launcher(kind: str) -> None:
    if kind == "FSDP" and _on("FSDP_CPU_RAM_EFFICIENT_LOADING"):
        raise TrainingError(
            "fsdp_cpu_ram_efficient_loading: true leaves all processes but one without weights "
            "until training begins, and the log-probabilities of the reference come before. Set "
            "it to false, as examples/12_train_in_python/accelerate/fsdp.yaml does."
        )
    by_file = "ACCELERATE_DEEPSPEED_CONFIG_FILE" in os.environ
    third = os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3"
    if kind == "DeepSpeed" and third and not by_file:
        _check_saving()


def _check_saving() -> None:
    if not _on("ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL"):
        raise TrainingError(
            "zero3_save_16bit_model: false keeps DeepSpeed from putting the model together at the "
            "end. Set it to true, as "
            "examples/12_train_in_python/accelerate/deepspeed_zero3.yaml does."
        )


def _on(name: str) -> bool:
    return os.environ.get(name, "").lower() == "true"
