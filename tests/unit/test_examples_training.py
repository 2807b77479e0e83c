"""The configs of the examples that train: they load, and a dry run says what they would do."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cai
from cai.cli.app import app
from cai.config import load_config
from cai.pipeline import Desk, make_stages
from cai.pipeline.training import training_config
from cai.train.settings import TrainConfig

EXAMPLES = Path(cai.__file__).parent.parent / "examples"
TRAININGS = {
    "06_dpo": ("sft", "dpo"),
    "07_rm_ppo": ("rm", "ppo"),
    "08_grpo_constitution": ("grpo",),
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def desk_of(example: str, **overrides: Any) -> Desk:
    return Desk(load_config(EXAMPLES / example / "config.yaml", overrides))


def last_training(example: str, **overrides: Any) -> TrainConfig:
    desk = desk_of(example, **overrides)
    return training_config(desk, desk.config.pipeline.train[-1], 1)


@pytest.mark.parametrize("example", TRAININGS)
def test_a_dry_run_prints_the_plan(example: str, tmp_path: Path):
    config = EXAMPLES / example / "config.yaml"
    result = CliRunner().invoke(app, ["run", str(config), "--dry-run"])
    assert result.exit_code == 0, result.output
    stages = [one.name for one in make_stages(desk_of(example).config.pipeline)]
    named = [f"train/{name}" for name in TRAININGS[example]]
    assert stages == ["generate", "check", *named, "evaluate", "report"]
    lines = {line.split()[0]: line for line in result.output.splitlines() if line.strip()}
    assert all("first time" in lines[name] for name in stages)
    steps = last_training(example).training.max_steps
    assert lines[stages[-3]].split()[-1] == str(steps)
    # A dry run writes nothing.
    assert list(tmp_path.iterdir()) == []


def test_dpo_is_tied_to_the_model_of_sft():
    found = last_training("06_dpo")
    assert found.model.name == str(Path("runs/dpo/models/sft").absolute())
    assert found.reference is None
    assert (found.dpo.loss, found.dpo.beta, found.dpo.soft) == ("sigmoid", 0.1, True)


def test_ppo_is_rewarded_by_one_and_watched_by_another():
    found = last_training("07_rm_ppo")
    assert [(one.kind, one.path) for one in found.rewards] == [
        ("model", str(Path("runs/rm-ppo/models/rm").absolute()))
    ]
    [gold] = found.watch.gold
    assert (gold.kind, gold.config) == (
        *("constitution",),
        str(Path("runs/rm-ppo/pipeline/config.yaml").absolute()),
    )


def test_grpo_is_rewarded_by_the_judge_of_its_config():
    found = last_training("08_grpo_constitution")
    assert [one.kind for one in found.rewards] == ["constitution", "length"]
    own = Path("other/pipeline/config.yaml").absolute()
    moved = last_training("08_grpo_constitution", run="other")
    assert moved.rewards[0].config == str(own)
    assert 4 <= found.grpo.group_size <= 16
