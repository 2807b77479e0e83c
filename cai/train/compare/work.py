"""What the process of a job does, in the end with plain data."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.train.compare.timing import Mark, mark_of
from cai.train.settings import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cai.train.compare.jobs import Job

__all__ = ["carry_out"]


def carry_out(job: Job, say: Callable[[str], None]) -> dict[str, Any]:
    """Do a job.

    Args:
        job: what to do.
        say: is told how far it is.

    Raises:
        CaiError: as `cai.train.train` and `Yardstick`.
    """
    from cai.engines.inprocess.loading import quiet

    config = TrainConfig.model_validate(job.config)
    with quiet():
        if job.kind == "train":
            return _train(job, config, say)
        if job.kind == "bare":
            return _bare(config)
        return _look(job, config)


def _bare(config: TrainConfig) -> dict[str, Any]:
    """Load the model and do nothing with it; returns facts of the machine."""
    import torch

    from cai.train.models import load_policy

    policy = load_policy(config.model)
    # Weights that are only mapped to their file count from when they are read.
    for weights in policy.model.parameters():
        weights.detach().sum()
    on_gpu = policy.model.device.type == "cuda"
    return {
        "fingerprint": policy.fingerprint,
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        **_gpu_mb(),
    }


def _train(job: Job, config: TrainConfig, say: Callable[[str], None]) -> dict[str, Any]:
    from cai.train.log import listening
    from cai.train.run import train

    marks: list[Mark] = []

    def note(row: Mapping[str, float]) -> None:
        marks.append(mark_of(time.monotonic(), row))

    with listening(note):
        result = train(job.method, config, resume=job.resume, say=say)  # type: ignore[arg-type]
    # Nobody resumes a finished training, and its optimiser is twice as large as the model.
    shutil.rmtree(result.folder / "checkpoints", ignore_errors=True)
    return {
        "steps": result.steps,
        "seconds": result.seconds,
        "figures": result.held_out or result.dev,
        "marks": [asdict(mark) for mark in marks],
        **_gpu_mb(),
    }


def _look(job: Job, config: TrainConfig) -> dict[str, Any]:
    """Accuracy, divergence and reward of a policy; of the untrained one what these start from."""
    from cai.train.compare.measure import Yardstick

    yardstick = Yardstick(config, Path(job.scratch))
    if job.kind == "untrained":
        return {
            "seconds_per_pair": yardstick.seconds_per_pair(),
            "rewards": yardstick.rewards(yardstick.sample(), job.reward),
        }
    policy = yardstick.load(str(config.output))
    answers = yardstick.sample(policy)
    return {
        "wins": yardstick.wins(policy),
        "divergence": asdict(yardstick.divergence(policy, answers)),
        "rewards": yardstick.rewards(answers, job.reward),
    }


def _gpu_mb() -> dict[str, float]:
    """Most memory that was taken on the GPU, where there is one."""
    import torch

    if not torch.cuda.is_available():
        return {}
    return {"gpu_mb": torch.cuda.max_memory_allocated() / 2**20}
