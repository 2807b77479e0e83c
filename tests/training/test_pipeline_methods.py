"""The examples that train, from prompts to a report, on a stand-in and tiny models."""

import json
from pathlib import Path
from typing import Any

import pytest

import cai
from cai.evaluate.results import EVALUATION, read_results
from cai.pipeline import training as training_stage
from cai.store import RunStore
from cai.store.stages import StageRecord
from tests.unit.pipeline_helpers import Here, Noting, stages_of, start, write_tiny

pytestmark = pytest.mark.filterwarnings("default")

EXAMPLES = Path(cai.__file__).parent.parent / "examples"
SMALL = {
    "models.policy.engine": "scripted",
    "prompts.limit": 24,
    "loop.sample.max_tokens": 8,
}
TRAINING = {
    "model.adapt": "full",
    "training.max_steps": 4,
    "training.learning_rate": 1e-3,
    "training.evaluate_every": 2,
    "training.checkpoint_every": 2,
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Here:
    """Trainings run in this process, and runs are made in the test's folder."""
    found = Here()
    monkeypatch.setattr(training_stage, "in_own_process", found)
    monkeypatch.chdir(tmp_path)
    return found


def smallest(tiny: Path, begin: list[str], go_on: list[str], **more: Any) -> dict[str, Any]:
    """What is put in place of an example's values; some trainings begin with the tiny model."""
    found = {**SMALL, **more}
    for name in [*begin, *go_on]:
        found |= {f"pipeline.train.{name}.settings.{key}": v for key, v in TRAINING.items()}
    return found | {f"pipeline.train.{name}.settings.model.name": str(tiny) for name in begin}


def carry_out(example: str, overrides: dict[str, Any]) -> Noting:
    """Carry out an example, and start it again: then every stage is left as it is."""
    path = EXAMPLES / example / "config.yaml"
    outcome, first = start(path, overrides=overrides)
    assert not outcome.left
    again, second = start(path, overrides=overrides)
    assert again.done == ()
    assert again.left == outcome.done
    assert set(second.left_alone.values()) == {"unchanged"}
    return first


def record(run: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(run, "models", name, "training.json").read_text())
    return found


def rows(run: str, name: str, key: str) -> list[float]:
    lines = Path(run, "models", name, "log.jsonl").read_text().splitlines()
    return [row[key] for row in map(json.loads, lines) if key in row]


def test_dpo_after_sft(tiny: Path, here: Here):
    settings = smallest(tiny, ["sft"], ["dpo"])
    carry_out("06_dpo", settings)
    found = record("runs/dpo", "dpo")
    assert Path(found["config"]["model"]["name"]).name == "sft"
    dev = found["results"]["dev"]
    assert dev["accuracy_low"] <= dev["accuracy"] <= dev["accuracy_high"]
    [winrate] = read_results(Path("runs/dpo", EVALUATION))
    assert (winrate.kind, winrate.subjects) == ("winrate", ("policy", "sft", "dpo"))
    # A variant of the loss trains dpo again, and nothing before it.
    path = EXAMPLES / "06_dpo/config.yaml"
    variant = settings | {"pipeline.train.dpo.settings.dpo": {"loss": "ipo", "beta": 0.1}}
    _, noting = start(path, overrides=variant, last="train")
    assert noting.why == {"train/dpo": "changed: settings"}
    assert record("runs/dpo", "dpo")["config"]["dpo"]["loss"] == "ipo"


def test_ppo_on_a_reward_model_with_the_judge_as_gold(tiny: Path, here: Here):
    settings = smallest(tiny, ["rm", "ppo"], [], **{"pipeline.evaluate.limit": 2})
    carry_out("07_rm_ppo", settings)
    found = record("runs/rm-ppo", "ppo")
    [reward] = found["config"]["rewards"]
    assert Path(reward["path"]).name == "rm"
    assert found["watch"][0].startswith("Gold on ")
    gold, proxy = (rows("runs/rm-ppo", "ppo", f"watch/{name}") for name in ("gold", "proxy"))
    # Before the first step, and after the second and the fourth.
    assert len(gold) == len(proxy) == 3
    assert all(0.0 < value < 1.0 for value in gold)
    assert rows("runs/rm-ppo", "ppo", "kl")[0] == pytest.approx(0.0, abs=1e-4)
    stage = stages_by_name("07_rm_ppo")["train/ppo"]
    assert stage.calls == calls_of("runs/rm-ppo/rewards") > 0


def test_grpo_on_the_judge_itself(tiny: Path, here: Here):
    settings = smallest(tiny, ["grpo"], [], **{"pipeline.evaluate.limit": 2})
    carry_out("08_grpo_constitution", settings)
    found = record("runs/grpo", "grpo")
    scores = rows("runs/grpo", "grpo", "reward/constitution")
    assert len(scores) == 4
    assert all(0.0 < score < 1.0 for score in scores)
    assert found["watch"][0].startswith("Gold: none")
    calls = calls_of("runs/grpo/rewards")
    stage = stages_by_name("08_grpo_constitution")["train/grpo"]
    assert stage.calls == calls > 0
    # The same training once more samples the same answers: the judge is asked nothing.
    Path("runs/grpo/models/grpo/model.safetensors").unlink()
    path = EXAMPLES / "08_grpo_constitution/config.yaml"
    outcome, _ = start(path, overrides=settings, last="train")
    assert outcome.done == ("train/grpo",)
    assert calls_of("runs/grpo/rewards") == calls
    assert stages_by_name("08_grpo_constitution")["train/grpo"].calls == 0


def stages_by_name(example: str) -> dict[str, StageRecord]:
    return {one.name: one for one in stages_of(EXAMPLES / example / "config.yaml").stages}


def calls_of(folder: str) -> int:
    with RunStore.read(Path(folder)) as store:
        return sum(total.calls for total in store.totals())
