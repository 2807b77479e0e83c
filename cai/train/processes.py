"""The processes of a training, which `accelerate launch` or `torchrun` has started.

This is the one place that knows about them. In a single process nothing is set up and nobody waits.
`from_main`, `joined`, `means`, `wait` and `main_first` wait for the others: all must call them.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from cai.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

__all__ = [
    "came_alone",
    "count",
    "from_main",
    "is_main",
    "joined",
    "leave",
    "main_first",
    "means",
    "rank",
    "sharding",
    "wait",
]

_T = TypeVar("_T")

# The launcher ends the others when a process dies. This ends them when one hangs, and is longer
# than a look of the watch with a slow judge takes.
_PATIENCE = timedelta(hours=1)


def count() -> int:
    """How many there are."""
    return int(_state().num_processes)


def rank() -> int:
    """The number of this one, from 0."""
    return int(_state().process_index)


def is_main() -> bool:
    """Whether this one writes files and says how far the training is."""
    return bool(_state().is_main_process)


def wait() -> None:
    """Go on when all have come here."""
    _state().wait_for_everyone()


def main_first() -> AbstractContextManager[None]:
    """A block that the others enter when the main process has left it."""
    block: AbstractContextManager[None] = _state().main_process_first()
    return block


def from_main(value: _T) -> _T:
    """What the main process has; what the others pass is not looked at."""
    if count() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    told = [value]
    broadcast_object_list(told)
    return told[0]


def joined(values: Sequence[_T]) -> list[_T]:
    """The values of all processes in the order of their numbers."""
    if count() == 1:
        return list(values)
    from accelerate.utils import gather_object

    return list(gather_object(list(values)))


def means(figures: Mapping[str, float]) -> dict[str, float]:
    """Figures averaged over all processes, which must have the same names."""
    everyone = joined([dict(figures)])
    return {name: sum(one[name] for one in everyone) / len(everyone) for name in figures}


def sharding() -> Literal["FSDP", "DeepSpeed"] | None:
    """What spreads the weights over the processes; None when each holds all of them."""
    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true":
        return "FSDP"
    if os.environ.get("ACCELERATE_USE_DEEPSPEED", "").lower() == "true":
        return "DeepSpeed"
    return None


def came_alone() -> bool:
    """Whether `accelerate launch` was asked for several processes and has started one.

    That is what it does with `--cpu`, and where it sees fewer than two GPUs.
    """
    asked = "ACCELERATE_USE_CPU" in os.environ and "MASTER_ADDR" in os.environ
    return asked and count() == 1


def leave() -> None:
    """Part with the others at the end of the program."""
    if count() > 1:
        _state().destroy_process_group()


def _state() -> Any:
    """Accelerate's own record; it picks the GPU of this process when it is made first."""
    try:
        import torch
        from accelerate import PartialState
    except ImportError as error:
        raise MissingExtraError("cai train", "train") from error
    cpu = not torch.cuda.is_available()
    if cpu and "LOCAL_RANK" in os.environ:
        # Its own name for the device, cpu:0, is one that torch does not load checkpoints to.
        os.environ.setdefault("ACCELERATE_TORCH_DEVICE", "cpu")
    # Made anew each time: transformers' arguments reset what they find.
    return PartialState(cpu=cpu, timeout=_PATIENCE)
