"""One of two processes, started by torchrun: `two_processes.py WHAT FOLDER`."""

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from cai.errors import TrainingError
from cai.train import processes
from tests.training.test_grpo_toy import grpo
from tests.training.toy import ppo, share_of_a
from tests.training.whole import OFFLINE, ONLINE, SHARDED, learn

WRITTEN: list[str] = []


def watch_writing(folder: Path) -> None:
    """Remember which files this process opens to write, which a hook of Python sees."""

    def hook(event: str, arguments: Any) -> None:
        if event == "open" and str(arguments[0]).startswith(str(folder)):
            mode = arguments[1] or ""
            if set(mode) & set("wax+"):
                WRITTEN.append(str(arguments[0]))

    sys.addaudithook(hook)


def trainings(folder: Path) -> None:
    """All methods, with half the batch in each process; a second start; what was written."""
    watch_writing(folder)
    found: dict[str, Any] = {}
    for method in (*OFFLINE, *ONLINE):
        result = learn(folder, method, f"{method}-2", 4)
        found[method] = {"dev": result.dev, "steps": result.steps, "watch": result.watch}
    try:
        learn(folder, "sft", "sft-2", 4)
    except TrainingError as error:
        found["again"] = str(error)
    go_on(folder)
    written = list(WRITTEN)
    report = folder / f"report-{processes.rank()}.json"
    report.write_text(json.dumps({"found": found, "written": written}))


def go_on(folder: Path) -> None:
    """A training as a whole, and one that ends early and goes on."""
    learn(folder, "dpo", "whole-2", 4, schedule="constant")
    learn(folder, "dpo", "parts-2", 4, schedule="constant", max_steps=3)
    learn(folder, "dpo", "parts-2", 4, schedule="constant", resume=True)


def toys(folder: Path) -> None:
    """PPO and GRPO on a countable reward, with half of the answers in each process."""
    ppo(folder / "ppo", steps=120, rollouts=32).train()
    grpo(folder / "grpo", steps=64, batch=32)


def sharded(folder: Path) -> None:
    """FSDP over two CPUs. Accelerate knows it only on GPUs, and is told that these are some."""
    from accelerate.state import DistributedType, PartialState

    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    torch.distributed.init_process_group("gloo")
    PartialState._prepare_backend = lambda *_: ("gloo", DistributedType.MULTI_GPU)  # type: ignore[assignment]
    for method, adapt in SHARDED:
        learn(folder, method, f"{method}-2", 4, adapt=adapt)


def failing(folder: Path) -> None:
    """The second process fails in the middle of a training."""
    calls = []

    def reward(prompts: Any, completions: list[str]) -> list[float]:
        calls.append(1)
        if processes.rank() == 1 and len(calls) == 2:
            raise RuntimeError("no more of this")
        return share_of_a(prompts, completions)

    ppo(folder, steps=40, rollouts=8, function=reward).train()


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    {"trainings": trainings, "toys": toys, "sharded": sharded, "failing": failing}[what](folder)
    processes.leave()


if __name__ == "__main__":
    main()
