"""Checkpoints of PPO: all that an update depends on, written as a whole or not at all."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import orjson
import torch
from safetensors.torch import load_file, save_file

from cai.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from cai.train.ppo.trainer import PPOTrainer

__all__ = ["load_checkpoint", "save_checkpoint", "updates_made"]


def save_checkpoint(trainer: PPOTrainer, updates: int) -> None:
    """Write weights, optimiser, schedule and controller after so many updates."""
    trainer.accelerator.wait_for_everyone()
    if not trainer.accelerator.is_main_process:
        return
    folder = trainer.output / "checkpoints"
    final = folder / f"update-{updates:08d}"
    part = final.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file(_weights(trainer), part / "weights.safetensors")
    # Tensors and plain numbers: read back with weights_only, so nothing in it can run.
    torch.save(trainer.optimizer.state_dict(), part / "optimizer.pt")
    state = {
        "updates": updates,
        "schedule": {k: v for k, v in trainer.schedule.state_dict().items() if k != "lr_lambdas"},
        "kl_weight": trainer.controller.weight,
    }
    (part / "state.json").write_bytes(orjson.dumps(state))
    shutil.rmtree(final, ignore_errors=True)
    part.replace(final)
    for old in sorted(folder.glob("update-????????"))[: -trainer.optim.keep_checkpoints]:
        shutil.rmtree(old)


def load_checkpoint(trainer: PPOTrainer) -> int:
    """Put the last checkpoint back; returns the number of updates that it has behind it.

    Raises:
        TrainingError: there is none.
    """
    folder = _last(trainer.output / "checkpoints")
    state = orjson.loads((folder / "state.json").read_bytes())
    weights = load_file(folder / "weights.safetensors")
    own = trainer.accelerator.unwrap_model(trainer.actor)
    missing = set(_weights(trainer)) - set(weights)
    if missing:
        raise TrainingError(
            f"{folder} is of another model: it lacks {sorted(missing)[0]}. Resume with the config "
            "that the training began with."
        )
    own.load_state_dict(weights, strict=False)
    optimizer = torch.load(folder / "optimizer.pt", weights_only=True)
    trainer.optimizer.load_state_dict(optimizer)
    trainer.schedule.load_state_dict({**trainer.schedule.state_dict(), **state["schedule"]})
    trainer.controller.weight = state["kl_weight"]
    return int(state["updates"])


def _weights(trainer: PPOTrainer) -> dict[str, Any]:
    """The weights that are trained; all others are those of the model that training began with."""
    own = trainer.accelerator.unwrap_model(trainer.actor)
    return {
        name: parameter.detach().cpu().contiguous()
        for name, parameter in own.named_parameters()
        if parameter.requires_grad
    }


def updates_made(output: Path) -> int:
    """How many updates the last checkpoint of a training has behind it.

    Raises:
        TrainingError: there is none.
    """
    return int(_last(output / "checkpoints").name.rpartition("-")[2])


def _last(folder: Path) -> Path:
    found = sorted(folder.glob("update-????????"))
    if not found:
        raise TrainingError(
            f"No checkpoint in {folder}. Start without --resume; one is written every "
            "`training.checkpoint_every` steps."
        )
    return found[-1]
