"""The stage `evaluate`: evaluations by name, from settings to results in the run."""

import json
from pathlib import Path
from typing import Any

import pytest

from cai.errors import ConfigError
from cai.evaluate.registry import find_evaluation, known_evaluations
from cai.evaluate.results import EVALUATION, Result, read_results
from cai.pipeline import Desk, evaluating
from cai.pipeline import training as training_stage
from cai.store import RunStore
from tests.unit.pipeline_helpers import (
    Here,
    Noting,
    config_of,
    start,
    training,
    write_config,
    write_tiny,
)

pytestmark = pytest.mark.filterwarnings("default")

SMALL = {
    "refusal": {"draws": 100},
    "winrate": {"draws": 100},
    "adherence": {"draws": 100, "checks": 2},
    "probes": {"draws": 100, "only": ["calibration"]},
    "two-turn": {"draws": 100, "checks": 3, "questions": "questions.jsonl"},
    "tax": {"areas": ["arithmetic", "knowledge"]},
    "reward-model": {"draws": 100},
}
QUESTIONS = [
    {"question_id": i, "category": "c", "turns": [f"What is {i}?", "And why?"]} for i in range(3)
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def made(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config of a pipeline with a training and all evaluations."""
    trainings = [training("rm", "rm", tiny), training("dpo", "dpo", tiny)]
    folder = tmp_path_factory.mktemp("made")
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))
    pipeline = {"train": trainings, "evaluate": {**SMALL, "limit": 2}}
    path = write_config(folder, pipeline)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_stage, "in_own_process", Here())
        start(path)
    return path


def results(path: Path) -> dict[str, Result]:
    return {one.kind: one for one in read_results(path.parent / "run" / EVALUATION)}


def test_every_evaluation_writes_its_result(made: Path):
    found = results(made)
    assert set(found) == set(known_evaluations()) == set(SMALL)
    rewarding = found["reward-model"]
    assert (rewarding.subjects, rewarding.calls) == (("rm",), 0)
    assert any("labels are the judge's" in note for note in rewarding.notes)
    assert len(rewarding.details["rm"]["pairs"]) == 2
    others = [one for kind, one in found.items() if kind != "reward-model"]
    assert all(one.subjects == ("policy", "dpo") for one in others)
    assert all(one.figures and one.inputs for one in found.values())
    assert all(one.calls for one in others)
    # One after the other they have asked all that is in their store, and a question of two once.
    with RunStore.read(made.parent / "run" / EVALUATION) as store:
        assert sum(one.calls for one in found.values()) >= sum(t.calls for t in store.totals())
    # Nothing is trained on the prompts that the win rate is about.
    with RunStore.read(made.parent / "run") as store:
        dev = set(store.groups("dev"))
    rows = json.loads((made.parent / "run" / EVALUATION / "winrate.json").read_bytes())
    asked = {row["prompt_id"] for row in rows["details"]["duels"]}
    assert asked
    assert asked <= dev


def test_what_was_asked_is_remembered(made: Path):
    """A result that is gone comes back without a call."""
    before = results(made)
    (made.parent / "run" / EVALUATION / "refusal.json").unlink()
    with RunStore.read(made.parent / "run" / EVALUATION) as store:
        calls = set(store.request_ids())
    outcome, noting = start(made)
    assert noting.why == {"evaluate": "evaluation/refusal.json is gone"}
    assert outcome.done == ("evaluate",)
    with RunStore.read(made.parent / "run" / EVALUATION) as store:
        assert set(store.request_ids()) == calls
    after = results(made)
    assert {k: v.figures for k, v in after.items()} == {k: v.figures for k, v in before.items()}


def test_inputs_of_an_evaluation(made: Path):
    def parts(**overrides: Any) -> dict[str, str]:
        desk = Desk(config_of(made, **overrides), watcher=Noting())
        return evaluating.inputs(desk, None)  # type: ignore[arg-type]

    def changed(key: str, value: Any) -> set[str]:
        after = parts(**{key: value})
        return {name for name in after if after[name] != before[name]}

    before = parts()
    assert changed("pipeline.evaluate.limit", 3) == {"settings"}
    assert changed("pipeline.evaluate.subjects", ["dpo", "rm"]) == {"models"}
    assert changed("judge.tie_band", 0.1) == {"judge"}
    assert changed("models.judge", {"engine": "scripted", "model": "other"}) == {"judge"}
    assert changed("loop.sample.temperature", 0.5) == {"sampling"}
    assert changed("prompts.limit", 20) == {"prompts"}
    assert changed("runtime.concurrency", 3) == set()
    assert changed("pipeline.train.dpo.settings.dpo.beta", 0.7) == set()


def test_models_by_the_rounds_that_made_them(tiny: Path, tmp_path: Path):
    trainings = [training("rm", "rm", tiny), training("sft", "sft", tiny)]
    path = write_config(tmp_path, {"train": trainings, "rounds": 2, "evaluate": {"refusal": {}}})
    desk = Desk(config_of(path))
    models = {one.name: one.model for one in evaluating.subjects(desk)}
    assert list(models) == ["policy", "sft", "sft-2"]
    assert models["policy"].engine == "scripted"
    assert models["sft-2"].engine == "transformers"
    assert models["sft-2"].model == str(tmp_path / "run/rounds/2/models/sft")
    assert [one.name for one in evaluating.reward_models(desk)] == ["rm", "rm-2"]
    few = Desk(config_of(path, **{"pipeline.evaluate.subjects": ["sft-2", "policy"]}))
    assert [one.name for one in evaluating.subjects(few)] == ["policy", "sft-2"]


def test_a_run_without_dev_prompts(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(training_stage, "in_own_process", Here())
    pipeline = {"train": [training("dpo", "dpo", tiny)], "evaluate": {"winrate": {}}}
    path = write_config(tmp_path, pipeline, split={"dev": 0.0, "held_out": 0.0})
    with pytest.raises(ConfigError, match="so there are no prompts to evaluate on"):
        start(path)


def test_reward_models_are_evaluated_where_there_are_any(tiny: Path, tmp_path: Path):
    evaluate = {"reward-model": {}}
    path = write_config(tmp_path, {"train": [training("sft", "sft", tiny)], "evaluate": evaluate})
    with pytest.raises(ConfigError, match="about reward models, and none is trained"):
        start(path)


def test_names_of_evaluations(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"no evaluation 'refusals'. Allowed: refusal, .*mean"):
        find_evaluation("refusals")
    (tmp_path / "questions.jsonl").write_text(json.dumps(QUESTIONS[0]))
    needed = {"two-turn": {"questions": str(tmp_path / "questions.jsonl")}}
    for name in known_evaluations():
        one = find_evaluation(name)
        one.read(one.settings(**needed.get(name, {})))
        assert "limit" in one.settings.model_fields
