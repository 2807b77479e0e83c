"""One training from config to folder: data, model, training, curves and card."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.errors import TrainingError
from cai.train import processes
from cai.train.card import Facts, write_card
from cai.train.log import TrainLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.train.gate import Validation
    from cai.train.offline import Trained
    from cai.train.settings import Method, TrainConfig

__all__ = ["Result", "train"]

_OFFLINE = frozenset({"sft", "rm", "dpo", "kto"})


@dataclass(frozen=True, slots=True)
class Result:
    """A finished training.

    `dev` and `held_out` are figures by name, empty without such data; `watch` is what the watch of
    an online training saw, in sentences.
    """

    method: Method
    folder: Path
    dev: dict[str, float]
    held_out: dict[str, float]
    watch: tuple[str, ...]
    steps: int
    seconds: float
    peak_mb: float


def train(
    method: Method,
    config: TrainConfig,
    *,
    resume: bool = False,
    validation: Validation | None = None,
    say: Callable[[str], None] | None = None,
) -> Result:
    """Train a model and write it with its log, curves and card.

    Where `accelerate launch` or `torchrun` has started several processes, all of them call this.
    The main process alone writes and says something; dev and held-out figures are the same in all.

    Args:
        method: what to do.
        config: everything about it.
        resume: go on from the last checkpoint.
        validation: what people said about AI labels in files; runs hold their own gate.
        say: is told what is being done.

    Raises:
        UsageError: the config or its data cannot be used.
        GateError: the AI labels may not be trained on.
        TrainingError: the training cannot begin or go on.
        MissingExtraError: a package of the extra `train` is missing.
    """
    from cai.engines.inprocess.loading import quiet
    from cai.train.sharded import check_sharding

    say = say if say is not None and processes.is_main() else (lambda text: None)
    folder = Path(config.output or f"models/{method}")
    check_sharding(method, config)
    log = _open_log(method, config, folder, resume)
    _introduce(say)
    _seed(config)
    began = time.monotonic()
    options = {"resume": resume, "validation": validation, "say": say}
    with quiet():
        trained = _carry_out(method, config, folder, log, options)
    found = (trained.dev, trained.held_out, trained.watch)
    steps = int(max(log.column("step"), default=0))
    result = Result(method, folder, *found, steps, time.monotonic() - began, _peak_mb())
    if processes.is_main():
        _write(config, trained, result, log)
    # The model is there when the first of them goes on.
    processes.wait()
    return result


def _write(
    config: TrainConfig,
    trained: Trained,
    result: Result,
    log: TrainLog,
) -> None:
    """Model, config, facts, card and curves."""
    from cai.engines.inprocess.loading import quiet
    from cai.train.curves import draw_curves
    from cai.train.models import save

    with quiet():
        save(trained.policy.model, trained.policy.tokenizer, result.folder)
    moved, weights = trained.share
    facts = Facts(
        fingerprint=trained.policy.fingerprint,
        sources=trained.data.sources,
        data_hash=trained.data.hash,
        trained=moved,
        weights=weights,
        steps=result.steps,
        seconds=result.seconds,
        peak_mb=result.peak_mb,
        results={"dev": result.dev, "held out": result.held_out},
        told=config.gate == "report",
        watch=result.watch,
        processes=processes.count(),
    )
    write_card(result.method, config, facts, result.folder)
    draw_curves(log, result.folder / "curves.png")


def _introduce(say: Callable[[str], None]) -> None:
    if processes.came_alone():
        say(
            "accelerate launch was asked for several processes and has started one: it starts no "
            "more than it sees GPUs. Without them: torchrun --nproc_per_node N -m cai train …"
        )
    elif processes.count() > 1:
        say(f"Training in {processes.count()} processes …")


def _seed(config: TrainConfig) -> None:
    """New weights, of adapters and of a reward model's head, are the same in all processes."""
    import torch

    torch.manual_seed(config.training.seed)


def _carry_out(
    method: Method, config: TrainConfig, folder: Path, log: TrainLog, options: dict[str, Any]
) -> Trained:
    if method in _OFFLINE:
        from cai.train.offline import train_offline

        return train_offline(method, config, folder, log, **options)
    from cai.train.online import train_online

    return train_online(method, config, folder, log, **options)


def _open_log(method: Method, config: TrainConfig, folder: Path, resume: bool) -> TrainLog:
    """The log. The main process has it on disk, and looks at what is there before it writes."""
    path = folder / "log.jsonl"
    if not resume:
        if processes.from_main((folder / "training.json").is_file()):
            raise TrainingError(
                f"{folder} holds a finished training. Choose another folder with --output, or "
                "delete this one."
            )
        return TrainLog(path if processes.is_main() else None)
    steps = steps_made(method, config, folder)
    log = TrainLog.resume(path, steps) if processes.is_main() else TrainLog()
    log.rows = processes.from_main(log.rows)
    return log


def steps_made(method: Method, config: TrainConfig, folder: Path) -> int:
    """Optimiser steps that the last checkpoint of a training has behind it.

    Raises:
        TrainingError: there is none.
    """
    if method == "ppo":
        from cai.train.ppo.checkpoint import updates_made

        return updates_made(folder) * config.ppo.epochs * config.ppo.minibatches
    from cai.train.checkpoints import last_checkpoint

    return int(Path(last_checkpoint(folder)).name.rpartition("-")[2])


def _peak_mb() -> float:
    """Peak memory of this process, or of the GPU where there is one."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**20 if sys.platform == "darwin" else 2**10)
