"""Finding the checkpoint that a training goes on from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cai.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["has_checkpoint", "last_checkpoint"]


def last_checkpoint(output: Path) -> str:
    """The folder of the last checkpoint that is whole, of all methods but ppo.

    Raises:
        TrainingError: there is none.
    """
    folder = output / "checkpoints"
    numbered = {
        int(path.name.rpartition("-")[2]): path
        for path in folder.glob("checkpoint-*")
        if path.name.rpartition("-")[2].isdecimal() and _is_whole(path)
    }
    if not numbered:
        raise TrainingError(
            f"No checkpoint in {folder}. Start without --resume; a checkpoint is written every "
            "`training.checkpoint_every` steps."
        )
    return str(numbered[max(numbered)])


def has_checkpoint(output: Path) -> bool:
    """Whether a training, of whatever method, can go on from where it was."""
    folder = output / "checkpoints"
    # Those of ppo appear as a whole.
    return any(folder.glob("update-????????")) or any(map(_is_whole, folder.glob("checkpoint-*")))


def _is_whole(checkpoint: Path) -> bool:
    """Whether the file that is written last is there to its end: a kill may have cut it."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_bytes())
    except (OSError, ValueError):
        return False
    return True
