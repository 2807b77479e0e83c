"""Optimiser and learning rate of trainers that are not built on transformers' `Trainer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from cai.train.settings import OptimConfig

__all__ = ["make_optimizer"]


def make_optimizer(
    module: torch.nn.Module, optim: OptimConfig, learning_rate: float, steps: int
) -> tuple[torch.optim.Optimizer, Any]:
    """AdamW over the weights that are trained, and the schedule of its learning rate.

    Args:
        module: holds the weights.
        optim: schedule, warm-up and weight decay.
        learning_rate: at the peak.
        steps: of the whole training.
    """
    from transformers import get_scheduler

    weights = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=learning_rate, weight_decay=optim.weight_decay)
    schedule = get_scheduler(
        optim.schedule,
        optimizer,
        num_warmup_steps=round(optim.warmup * steps),
        num_training_steps=steps,
    )
    return optimizer, schedule
