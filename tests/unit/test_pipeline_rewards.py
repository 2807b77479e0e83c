"""Judges as rewards of a pipeline: which config they have, and what makes a training stale."""

from pathlib import Path
from typing import Any

import pytest

from cai.config import load_config
from cai.errors import ConfigError
from cai.pipeline import Desk, Stage, make_stages, plan_stages
from cai.pipeline import training as training_stage
from cai.pipeline.rewards import rewards_of, write_own_config
from cai.pipeline.training import inputs, training_config
from cai.train.settings import TrainConfig
from tests.unit.pipeline_helpers import CONSTITUTION, start, training, write_config, write_tiny

OWN = [{"kind": "constitution", "config": "made:config"}]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def generated(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline whose prompts are there, and whose training was not begun."""
    path = write(tmp_path_factory.mktemp("made"), tiny, OWN)
    start(path, last="generate")
    return path


def write(folder: Path, tiny: Path, rewards: Any, **settings: Any) -> Path:
    settings = {"rewards": rewards, "grpo.group_size": 2, **settings}
    return write_config(folder, {"train": [training("grpo", "grpo", tiny, settings=settings)]})


def of(path: Path, **overrides: Any) -> tuple[Desk, Stage]:
    desk = Desk(load_config(path, overrides))
    return desk, next(one for one in make_stages(desk.config.pipeline) if one.training)


def changed(path: Path, **overrides: Any) -> set[str]:
    """Names of the inputs of the training that a change concerns."""
    before, after = inputs(*of(path)), inputs(*of(path, **overrides))
    return {name for name in before if before[name] != after[name]}


def test_the_own_config_is_what_was_started(generated: Path):
    desk, stage = of(generated, **{"models.critic": {"engine": "scripted", "model": "other"}})
    assert stage.training is not None
    [reward] = rewards_of(training_config(desk, stage.training, 1))
    write_own_config(desk, 1)
    written = load_config(reward.config or "")
    # What --set put in place counts for the judge of rewards, too.
    assert written.models.critic is not None
    assert written.models.critic.model == "other"
    assert Path(written.run) == desk.folder.absolute()
    assert written.constitution == desk.config.constitution
    assert written.judge == desk.config.judge
    assert written.pipeline.train == ()


def test_a_named_constitution_is_the_one_that_the_run_has_pinned(tiny: Path, tmp_path: Path):
    path = write(tmp_path, tiny, OWN)
    named = {"constitution": "harmless-helpful", "prompts.limit": 6}
    start(path, last="generate", overrides=named)
    desk, _ = of(path, **named)
    write_own_config(desk, 1)
    assert load_config(desk.own_config(1)).constitution == "harmless-helpful@1.0.0"


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        ({"judge.principles": 3}, {"judges"}),
        ({"models.critic": {"engine": "scripted", "model": "other"}}, {"judges"}),
        ({"runtime.concurrency": 3}, set()),
        ({"pipeline.report": False}, set()),
        ({"pipeline.train.grpo.settings.grpo.beta": 0.2}, {"settings"}),
    ],
)
def test_what_makes_a_training_stale(change: Any, concerned: set[str], generated: Path):
    assert changed(generated, **change) == concerned


def test_a_key_that_was_added_later_trains_nothing_again(
    generated: Path, monkeypatch: pytest.MonkeyPatch
):
    class Newer(TrainConfig):
        added: int = 1

    def newer(*args: Any) -> TrainConfig:
        return Newer.model_validate(training_config(*args).model_dump(exclude_unset=True))

    before = inputs(*of(generated))
    monkeypatch.setattr(training_stage, "training_config", newer)
    assert inputs(*of(generated)) == before
    with_default = {"pipeline.train.grpo.settings.grpo.clip": 0.2}
    assert inputs(*of(generated, **with_default)) == before


def test_another_config_counts_by_what_its_scores_depend_on(tiny: Path, tmp_path: Path):
    judge = tmp_path / "judge.yaml"
    text = "prompts: {path: starter}\nmodels: {policy: {engine: scripted}}\n"
    judge.write_text(text)
    path = write(tmp_path, tiny, [{"kind": "constitution", "config": "judge.yaml"}])
    start(path, last="generate")
    before = inputs(*of(path))
    judge.write_text(f"# Nothing else.\nrun: elsewhere\n{text}")
    assert inputs(*of(path)) == before
    judge.write_text(f"{text}judge: {{scope: constitution}}\n")
    after = inputs(*of(path))
    assert {name for name in before if before[name] != after[name]} == {"judges"}


def test_a_changed_constitution_concerns_the_reward(tiny: Path, tmp_path: Path):
    path = write(tmp_path, tiny, OWN)
    start(path, last="generate")
    before = inputs(*of(path))
    changed = CONSTITUTION.replace("Be short.", "Be very short.").replace("0.1.0", "0.1.1")
    (tmp_path / "constitution.yaml").write_text(changed)
    after = inputs(*of(path))
    assert {name for name in before if before[name] != after[name]} == {"judges"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"grpo.group_size": 4}, "pipeline.train.grpo: .*batch_size 2 must be a multiple of"),
        ({"watch.gold": OWN}, "pipeline.train.grpo: watch.gold: .* is also trained on"),
        ({"watch.action": "rollback"}, r"pipeline.train.grpo: .*needs a gold \(got 0\)"),
        (
            {"watch.gold": [{"kind": "constitution", "config": "gold.yaml"}]},
            "asks the judge of gold.yaml, and there is no such file. .*made:config",
        ),
        ({"rewards": []}, "pipeline.train.grpo: grpo needs a reward"),
    ],
)
def test_what_cannot_be_trained_is_said_before_anything_is_asked(
    settings: dict[str, Any], said: str, tiny: Path, tmp_path: Path
):
    path = write(tmp_path, tiny, settings.pop("rewards", OWN), **settings)
    with pytest.raises(ConfigError, match=said):
        plan_stages(of(path)[0])
    assert not (tmp_path / "run").exists()
