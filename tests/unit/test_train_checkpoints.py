"""Which checkpoint a training goes on from."""

from pathlib import Path

import pytest

from cai.errors import TrainingError
from cai.train.checkpoints import has_checkpoint, last_checkpoint


def checkpoint(output: Path, step: int, state: str | None = "{}") -> Path:
    folder = output / "checkpoints" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    if state is not None:
        (folder / "trainer_state.json").write_text(state)
    return folder


def test_the_last_whole_one(tmp_path: Path):
    checkpoint(tmp_path, 9)
    whole = checkpoint(tmp_path, 10)
    # A kill came before the last file was written, or while it was.
    checkpoint(tmp_path, 11, None)
    checkpoint(tmp_path, 12, '{"global_step": 1')
    assert last_checkpoint(tmp_path) == str(whole)
    assert has_checkpoint(tmp_path)


def test_none(tmp_path: Path):
    for _ in range(2):
        assert not has_checkpoint(tmp_path)
        with pytest.raises(TrainingError, match="No checkpoint in"):
            last_checkpoint(tmp_path)
        if not (tmp_path / "checkpoints").exists():
            checkpoint(tmp_path, 5, None)


def test_those_of_ppo(tmp_path: Path):
    (tmp_path / "checkpoints/update-00000003.part").mkdir(parents=True)
    assert not has_checkpoint(tmp_path)
    (tmp_path / "checkpoints/update-00000002").mkdir()
    assert has_checkpoint(tmp_path)
