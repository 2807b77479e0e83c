"""What a pipeline would do, and what is found before anything is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from cai.config import load_config
from cai.errors import ConfigError, FatalEngineError
from cai.pipeline import Desk, make_stages, plan_stages
from cai.pipeline.training import training_config
from cai.train.data import load_data, mix
from cai.train.examples import Preference
from tests.unit.pipeline_helpers import config_of, start, training, write_config, write_tiny


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("models") / "tiny")


def plan(path: Path, overrides: Any = None, **options: Any) -> dict[str, Any]:
    desk = Desk(load_config(path, overrides or {}), update=options.pop("update", False))
    return {one.stage.name: one for one in plan_stages(desk, **options)}


def test_stages_and_what_they_rest_on(tiny: Path, tmp_path: Path):
    trainings = [
        training("rm", "rm", tiny),
        training("sft", "sft"),
        training("ppo", "ppo", **{"from": "sft"}, settings={"rewards": [{"path": "made:rm"}]}),
    ]
    pipeline = {
        "validate": "required",
        "rounds": 2,
        "train": trainings,
        "evaluate": {"refusal": {}},
    }
    stages = {s.name: s for s in make_stages(config_of(write_config(tmp_path, pipeline)).pipeline)}
    assert list(stages) == [
        *("generate", "check", "validate", "train/rm", "train/sft", "train/ppo"),
        *("2/generate", "2/check", "2/validate", "2/train/rm", "2/train/sft", "2/train/ppo"),
        *("evaluate", "report"),
    ]
    assert stages["train/ppo"].needs == ("generate", "validate", "train/sft", "train/rm")
    assert stages["2/generate"].needs == ("train/ppo",)
    # It begins with the last policy of the round before; the reward model has a model of its own.
    assert stages["2/train/sft"].needs == ("2/generate", "2/validate", "train/ppo")
    assert stages["2/train/rm"].needs == ("2/generate", "2/validate")
    assert "report" not in stages["evaluate"].needs
    assert set(stages["report"].needs) == set(stages) - {"report"}


def test_nothing_is_written_and_all_is_new(tiny: Path, tmp_path: Path):
    trainings = [training("sft", "sft", tiny), training("dpo", "dpo", **{"from": "sft"})]
    found = plan(write_config(tmp_path, {"train": trainings}))
    assert {(one.action, one.why) for one in found.values()} == {("run", "first time")}
    assert found["generate"].asks.calls.likely > 24 * 3
    assert (found["train/sft"].steps, found["report"].steps) == (2, None)
    assert not (tmp_path / "run").exists()


def test_what_a_change_comes_to(tiny: Path, tmp_path: Path):
    path = write_config(tmp_path, {"train": [training("dpo", "dpo", tiny)]})
    start(path, last="check")
    before = _times(tmp_path / "run")
    found = plan(path)
    assert [found[name].action for name in found] == ["skip", "skip", "run", "run"]
    assert found["generate"].asks is None
    changed = plan(path, {"loop.seed": 3})
    assert (changed["generate"].action, changed["generate"].why) == ("run", "changed: loop")
    assert changed["generate"].needs_update
    assert (changed["check"].action, changed["check"].why) == (
        "perhaps",
        "if generate changes something",
    )
    # What was never done is done whatever comes of the stages before.
    assert changed["train/dpo"].action == "run"
    parts = plan(path, first="check", last="check")
    assert [parts[name].action for name in parts] == ["not meant", "skip", *["not meant"] * 2]
    assert _times(tmp_path / "run") == before


def _times(run: Path) -> dict[str, int]:
    # Readers of a database lock it through a file beside it.
    files = (path for path in run.rglob("*") if path.is_file() and path.name != "run.db-shm")
    return {path.name: path.stat().st_mtime_ns for path in files}


def test_steps_follow_from_the_data(tiny: Path, tmp_path: Path):
    settings = {"training.max_steps": None, "training.epochs": 2.0}
    names = ("dpo", "kto", "ppo", "grpo")
    online = {
        "ppo.rollouts": 4,
        "ppo.epochs": 2,
        "ppo.minibatches": 2,
        "grpo.group_size": 2,
        "rewards": [{"kind": "length"}],
    }
    trainings = [training(n, n, tiny, settings={**settings, **online}) for n in names]
    path = write_config(tmp_path, {"train": trainings})
    assert plan(path)["train/dpo"].steps is None
    start(path, last="check")
    found = plan(path)
    desk = Desk(load_config(path))
    config = training_config(desk, desk.config.pipeline.train[0], 1)
    data = load_data(Preference, config)
    pairs = len(mix(data.train, data.weights, 0))
    prompts = found["generate"].stage and _train_prompts(tmp_path / "run")
    assert found["train/dpo"].steps == pairs  # two epochs in batches of two
    assert found["train/kto"].steps == 2 * pairs
    assert found["train/ppo"].steps == -(-2 * prompts // 4) * 4
    assert found["train/grpo"].steps == 2 * prompts


def _train_prompts(run: Path) -> int:
    from cai.store import RunStore, rows_for

    with RunStore.read(run) as store:
        return sum(1 for _ in rows_for(store, "training"))


def test_folders_that_the_pipeline_makes_can_be_named(tiny: Path, tmp_path: Path):
    extra = tmp_path / "extra.jsonl"
    extra.write_text(json.dumps({"prompt": "a", "chosen": "b", "rejected": "c"}) + "\n")
    settings = {
        "data": [{"run": "made:run"}, {"file": "extra.jsonl"}],
        "reference": "made:sft",
        "rewards": [{"kind": "model", "path": "made:rm"}],
    }
    trainings = [
        *(training("sft", "sft", tiny), training("rm", "rm", tiny)),
        training("ppo", "ppo", **{"from": "sft"}, settings=settings),
    ]
    path = write_config(tmp_path, {"train": trainings, "rounds": 2})
    desk = Desk(load_config(path))
    config = training_config(desk, desk.config.pipeline.train[2], 2)
    models = tmp_path / "run/rounds/2/models"
    assert config.model.name == config.reference == str(models / "sft")
    starts = [desk.starts_from(one, 2) for one in desk.config.pipeline.train]
    # A policy goes on from the last one; a reward model of its own begins anew.
    assert starts == [str(tmp_path / "run/models/ppo"), str(tiny), str(models / "sft")]
    assert config.rewards[0].path == str(models / "rm")
    assert [one.run or one.file for one in config.data] == [
        str(tmp_path / "run/rounds/2"),
        str(extra),
    ]
    plan(path)


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ({"check": {"fail_on": ["length"]}}, "no check 'length'. Allowed: .*length-bias"),
        ({"check": {"against": ["none.jsonl"]}}, "against: no such file: none.jsonl"),
        (
            {"train": [training("dpo", "dpo", settings={"dpo.betta": 1})]},
            r"pipeline.train.dpo: unknown key 'dpo.betta'.*mean 'beta'",
        ),
        (
            {"train": [training("dpo", "dpo", settings={"training.batch_size": 3})]},
            "must be a multiple of micro_batch_size",
        ),
        (
            {"train": [training("ppo", "ppo")]},
            "pipeline.train.ppo: ppo needs a reward",
        ),
        (
            {"train": [training("dpo", "dpo", settings={"reference": "made:sft"})]},
            "made:sft means no earlier training. Allowed: made:run, made:config",
        ),
        (
            {
                "train": [
                    training(
                        "grpo",
                        "grpo",
                        settings={
                            "rewards": [{"kind": "constitution", "config": "no.yaml"}],
                            "grpo.group_size": 2,
                        },
                    )
                ]
            },
            "judge of no.yaml, and there is no such file",
        ),
        ({"evaluate": {"refusal": {"sample": 2}}}, "unknown key 'sample'.*mean 'samples'"),
        ({"evaluate": {"refusal": {"cases": ["none.yaml"]}}}, "none.yaml"),
        ({"evaluate": {"refusal": {}, "subjects": ["dop"]}}, "no model is called 'dop'"),
        ({"evaluate": {"winrate": {}}}, "winrate needs 2 models, and there is only policy"),
        (
            {
                "train": [training("dpo", "dpo"), training("dpo-2", "dpo")],
                "rounds": 2,
                "evaluate": {"refusal": {}},
            },
            "two models would be called 'dpo-2'",
        ),
    ],
)
def test_what_cannot_go_well_is_said_before_anything_is_asked(
    pipeline: dict[str, Any], said: str, tiny: Path, tmp_path: Path
):
    for one in pipeline.get("train", ()):
        one["settings"]["model.name"] = str(tiny)
    path = write_config(tmp_path, pipeline)
    with pytest.raises(Exception, match=f"(?s){said}"):
        start(path)
    with pytest.raises(Exception, match=f"(?s){said}"):
        plan(path)
    assert not (tmp_path / "run/run.db").exists()


def test_a_policy_at_a_server_cannot_be_trained(tmp_path: Path):
    path = write_config(tmp_path, {"train": [training("dpo", "dpo")]})
    with pytest.raises(ConfigError, match="engine: scripted, whose weights are not here"):
        plan(path)
    path = write_config(tmp_path, {"train": [training("dpo", "dpo", tmp_path / "none")]})
    with pytest.raises(FatalEngineError, match="there is no model"):
        plan(path)


def test_a_policy_in_process_is_trained_at_its_revision(tmp_path: Path):
    models = {"policy": {"engine": "transformers", "model": "owner/name", "revision": "abc"}}
    path = write_config(tmp_path, {"train": [training("dpo", "dpo")]}, models=models)
    desk = Desk(load_config(path))
    config = training_config(desk, desk.config.pipeline.train[0], 1)
    assert (config.model.name, config.model.revision) == ("owner/name", "abc")
    assert config.gate == "report"
