"""The section `pipeline` of the config, and values that are set from outside."""

from pathlib import Path
from typing import Any

import pytest

from cai.config import Config, asked, load_config, parse_config
from cai.config.overrides import override
from cai.errors import ConfigError
from cai.evaluate.registry import known_evaluations

SFT = {"name": "sft", "method": "sft", "settings": {"training.max_steps": 20}}
DPO = {"name": "dpo", "method": "dpo", "from": "sft", "settings": {"dpo": {"beta": 0.2}}}


def config(**pipeline: Any) -> Config:
    return parse_config({"prompts": {"path": "p.txt"}, "pipeline": pipeline})


def test_what_is_written_comes_back():
    found = config(validate="skip", train=[SFT, DPO], evaluate={"refusal": {}, "limit": 4})
    assert (found.pipeline.validation, found.pipeline.train[1].from_) == ("skip", "sft")
    assert found.pipeline.evaluate.wanted == {"refusal": {}}
    stored = found.model_dump(mode="json")
    assert stored["pipeline"]["validate"] == "skip"
    assert stored["pipeline"]["train"][1]["from"] == "sft"
    assert parse_config(stored) == found


def test_a_pipeline_is_no_part_of_what_a_run_asks():
    assert asked(config(train=[SFT], rounds=2)) == asked(config())


def test_sections_within_settings_are_dotted_keys():
    one = {**SFT, "settings": {"training": {"max_steps": 2}, "training.seed": 3, "rewards": [{}]}}
    found = config(train=[one]).pipeline.train[0].settings
    assert found == {"training.max_steps": 2, "training.seed": 3, "rewards": [{}]}


def test_people_are_waited_for_before_a_training_or_when_it_is_said():
    assert not config().pipeline.waits
    assert config(train=[SFT]).pipeline.waits
    assert config(validate="required").pipeline.waits
    assert not config(validate="skip", train=[SFT]).pipeline.waits


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ({"validat": "skip"}, "unknown key 'pipeline.validat'.*Did you mean 'validate'"),
        ({"validation": "skip"}, "unknown key 'pipeline.validation'.*Allowed here: validate, "),
        ({"train": [{**DPO, "form": "x"}]}, "unknown key 'pipeline.train.0.form'.*mean 'from'"),
        ({"train": [DPO]}, "'dpo' begins from 'sft'.*Before it: none"),
        ({"train": [SFT, SFT]}, "two trainings are called 'sft'"),
        ({"train": [{**SFT, "name": "../x"}]}, "should match pattern"),
        ({"train": [{**SFT, "name": "run"}]}, "made:run is the run"),
        ({"train": [{**SFT, "settings": {"gate": "report"}}]}, "gate is set by the pipeline"),
        ({"train": [{**SFT, "settings": {"output": "x"}}]}, "output is set by the pipeline"),
        (
            {"train": [SFT, {**DPO, "settings": {"model": {"name": "x"}}}]},
            "both name the model that is trained",
        ),
        (
            {"train": [{**SFT, "settings": {"dpo.beta": 1, "dpo": {"beta": 2}}}]},
            "dpo.beta is set twice",
        ),
        (
            {"train": [{"name": "rm", "method": "rm"}, {**DPO, "from": "rm"}]},
            "begins from the reward model 'rm'",
        ),
        ({"rounds": 2, "train": [{"name": "rm", "method": "rm"}]}, "needs a training that makes a"),
        ({"evaluate": {"refusals": {}}}, "mean 'refusal'"),
    ],
)
def test_what_does_not_fit_is_said(pipeline: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        config(**pipeline)


def test_paths_that_exist_beside_the_config_are_made_absolute(tmp_path: Path):
    (tmp_path / "dev.jsonl").write_text("{}\n")
    (tmp_path / "p.txt").write_text("Hello?\n")
    path = tmp_path / "cai.yaml"
    path.write_text(
        "prompts: {path: p.txt}\n"
        "pipeline:\n"
        "  check: {against: [dev.jsonl, other.jsonl]}\n"
        "  evaluate: {refusal: {cases: dev.jsonl}}\n"
        "  train:\n"
        "    - {name: dpo, method: dpo, settings: {model.name: dev.jsonl, data: [{run: 'made:run'},"
        " {file: dev.jsonl}]}}\n"
    )
    pipeline, there = load_config(path).pipeline, str(tmp_path / "dev.jsonl")
    assert pipeline.check.against == (there, "other.jsonl")
    assert pipeline.evaluate.refusal == {"cases": there}
    assert pipeline.train[0].settings == {
        "model.name": there,
        "data": [{"run": "made:run"}, {"file": there}],
    }


def test_entries_of_lists_and_keys_with_dots_are_set_from_outside(tmp_path: Path):
    path = tmp_path / "cai.yaml"
    path.write_text(
        "prompts: {path: p.txt, mix: [{path: a.txt, share: 0.5}]}\n"
        "pipeline:\n"
        "  train:\n"
        "    - {name: sft, method: sft, settings: {training.max_steps: 20}}\n"
        "    - {name: dpo, method: dpo}\n"
    )
    overrides = {
        "prompts.mix.0.share": 0.25,
        "pipeline.train.sft.settings.training.max_steps": 2,
        "pipeline.train.sft.settings.model.name": "tiny",
        "pipeline.train.1.method": "kto",
        "pipeline.validate": "skip",
    }
    found = load_config(path, overrides)
    assert found.prompts.mix[0].share == 0.25
    sft, other = found.pipeline.train
    assert sft.settings == {"training.max_steps": 2, "model.name": "tiny"}
    assert (other.method, found.pipeline.validation) == ("kto", "skip")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("list.dpo.x", "the list has no entry 'dpo'. It has: sft, 1"),
        ("list.2", "no entry '2'"),
        ("empty.0", "none, it is empty"),
        ("text.x.y", "what lies before 'x.y' is 'abc', a value without keys"),
    ],
)
def test_a_key_that_leads_nowhere_is_an_error(key: str, said: str):
    data = {"list": [{"name": "sft"}, 5], "empty": [], "text": "abc"}
    with pytest.raises(ConfigError, match=said):
        override(data, {key: 1})


def test_a_whole_entry_can_be_set():
    data = {"list": [1, 2]}
    override(data, {"list.1": 5, "new.section.key": "x"})
    assert data == {"list": [1, 5], "new": {"section": {"key": "x"}}}


def test_the_config_knows_the_evaluations_that_there_are():
    every = {name: {} for name in known_evaluations()}
    assert config(evaluate=every).pipeline.evaluate.wanted == every
    assert config().pipeline.evaluate.wanted == {}
    # They are written as they are called, and so they are read back.
    dumped = config(evaluate=every).model_dump(mode="json")["pipeline"]["evaluate"]
    assert {"two-turn", "reward-model"} <= dumped.keys()
    assert config(evaluate=dumped).pipeline.evaluate.wanted == every


def test_files_of_evaluations_are_relative_to_the_config(tmp_path: Path):
    (tmp_path / "questions.jsonl").touch()
    section = config(evaluate={"two-turn": {"questions": "questions.jsonl"}}).pipeline
    found = section.anchored(tmp_path).evaluate.wanted
    assert found == {"two-turn": {"questions": str(tmp_path / "questions.jsonl")}}
