"""Reading training data: files, sides, weights, and the gate."""

import json
from pathlib import Path

import pytest

from cai.errors import ConfigError, GateError, InputError
from cai.records import Message
from cai.train.data import load_data, mix
from cai.train.examples import Demonstration, Preference, PromptExample, Ranking, Rating
from cai.train.files import read_file
from cai.train.gate import Validation
from cai.train.load import load_training
from cai.train.settings import TrainConfig


def jsonl(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pairs(path: Path, count: int = 200) -> Path:
    rows = (
        {"prompt": f"Question {i}?", "chosen": f"good {i}", "rejected": "bad"} for i in range(count)
    )
    return jsonl(path, *rows)


def config(path: Path, **source: object) -> TrainConfig:
    gate = source.pop("gate", "report")
    return TrainConfig.model_validate({"data": [{"file": str(path), **source}], "gate": gate})


def test_each_kind_of_row_is_read(tmp_path: Path):
    path = jsonl(
        tmp_path / "rows.jsonl",
        {"prompt": "P", "chosen": "c", "rejected": "r", "p": 0.8},
        {"prompt": "P", "chosen": "c", "rejected": "r", "p": 0.3},
        {"prompt": [{"role": "user", "content": "P"}], "ranking": ["a", "b", "c"]},
        {"prompt": "P", "answer": "a", "rating": 7},
        {"prompt": "P", "answer": "a"},
        {"messages": [{"role": "user", "content": "P"}, {"role": "assistant", "content": "a"}]},
        {
            "prompt": "P",
            "chosen": [{"role": "assistant", "content": "c"}],
            "rejected": [{"role": "assistant", "content": "r"}],
        },
        {"chosen": "\n\nHuman: P\n\nAssistant: c", "rejected": "\n\nHuman: P\n\nAssistant: r"},
    )
    found = list(read_file(path, "human"))
    kinds = [Preference, Preference, Ranking, Rating, Demonstration, Demonstration]
    assert [type(e) for e in found] == [*kinds, Preference, Preference]
    assert {e.prompt for e in found} == {(Message("user", "P"),)}
    assert (found[0].p, found[0].chosen) == (0.8, "c")
    # The label says that the other answer is better.
    assert (found[1].p, found[1].chosen, found[1].rejected) == (0.7, "r", "c")
    assert found[2].answers == ("a", "b", "c")
    assert found[3].rating == 7.0
    assert (found[7].chosen, found[7].rejected, found[7].p) == ("c", "r", 1.0)
    assert {e.origin for e in found} == {"human"}


def test_pairs_that_teach_nothing_are_left_out(tmp_path: Path):
    path = jsonl(
        tmp_path / "rows.jsonl",
        {"prompt": "P", "chosen": "same", "rejected": "same"},
        {"prompt": "P", "chosen": "c", "rejected": "r", "p": 0.5},
        {
            "chosen": "\n\nHuman: P\n\nAssistant: c",
            "rejected": "\n\nHuman: Another\n\nAssistant: r",
        },
    )
    assert list(read_file(path, "human")) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "x"}, "a row with text"),
        ({"prompt": "P", "chosen": 3, "rejected": "r"}, "a text"),
        ({"prompt": "P", "chosen": "c", "rejected": "r", "p": 1.5}, "from 0 to 1"),
        ({"prompt": "P", "chosen": "c", "rejected": "r", "p": "high"}, "a number"),
        ({"chosen": "nothing of the kind", "rejected": "x"}, "dialogues"),
    ],
)
def test_a_wrong_row_is_named(row: dict, said: str, tmp_path: Path):
    with pytest.raises(InputError, match=said) as caught:
        list(read_file(jsonl(tmp_path / "rows.jsonl", row), "ai"))
    assert "rows.jsonl" in str(caught.value)


def test_all_answers_to_one_prompt_fall_to_one_side(tmp_path: Path):
    rows = [
        {"prompt": f"Question {i}?", "chosen": f"good {i} {j}", "rejected": "bad"}
        for i in range(60)
        for j in range(3)
    ]
    path = jsonl(tmp_path / "p.jsonl", *rows)
    data = load_data(Preference, config(path, dev_share=0.3, held_out_share=0.2))
    sides = [{e.prompt for e in part} for part in (data.train, data.dev, data.held_out)]
    assert sum(map(len, sides)) == 60
    assert all(sides)
    assert len(data.train) + len(data.dev) + len(data.held_out) == 180
    assert (data.sources[0].train, data.sources[0].dev) == (len(data.train), len(data.dev))


def test_a_limit_draws_the_same_examples_again(tmp_path: Path):
    path = pairs(tmp_path / "p.jsonl")
    few, more = (load_data(Preference, config(path, limit=n)) for n in (20, 40))
    ids = {e.id for e in (*few.train, *few.dev)}
    assert len(ids) == 20
    assert ids < {e.id for e in (*more.train, *more.dev)}


def test_a_file_of_pairs_also_gives_prompts_and_answers(tmp_path: Path):
    path = pairs(tmp_path / "p.jsonl", 30)
    prompts = load_data(PromptExample, config(path))
    answers = load_data(Demonstration, config(path))
    assert len({e.id for e in (*prompts.train, *prompts.dev)}) == 30
    assert {e.answer[:4] for e in answers.train} == {"good"}


def test_nothing_to_learn_from_is_an_error(tmp_path: Path):
    path = jsonl(tmp_path / "p.jsonl", {"prompt": "P", "answer": "a"})
    with pytest.raises(ConfigError, match="decided comparisons"):
        load_data(Preference, config(path))


def test_weights_say_how_often_an_example_comes(tmp_path: Path):
    path = pairs(tmp_path / "p.jsonl", 400)
    for weight, low, high in ((1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (0.5, 0.4, 0.6), (2.5, 2.4, 2.6)):
        data = load_data(Preference, config(path, weight=weight, dev_share=0.0))
        drawn = mix(data.train, data.weights, 0)
        assert low <= len(drawn) / 400 <= high
    assert mix(data.train, data.weights, 0) == mix(data.train, data.weights, 0)
    assert mix(data.train, data.weights, 0) != mix(data.train, data.weights, 1)


def test_a_share_of_every_epoch_is_replayed(tmp_path: Path):
    pairs(tmp_path / "new.jsonl", 300)
    old = ({"prompt": f"Old {i}", "chosen": f"kind {i}", "rejected": "x"} for i in range(60))
    jsonl(tmp_path / "old.jsonl", *old)
    sources = [
        {"file": str(tmp_path / "new.jsonl"), "weight": 0.5, "dev_share": 0.0},
        {"file": str(tmp_path / "old.jsonl"), "share": 0.25, "dev_share": 0.0},
    ]
    data = load_data(Preference, TrainConfig.model_validate({"data": sources, "gate": "report"}))
    drawn = [mix(data.train, data.weights, epoch) for epoch in range(20)]
    replayed = sum(e.chosen.startswith("kind") for epoch in drawn for e in epoch)
    assert replayed / sum(map(len, drawn)) == pytest.approx(0.25, abs=0.02)
    # A half of 300 is three quarters of an epoch; 50 of the 60 old ones are the fourth.
    assert data.sources[1].weight == pytest.approx(50 / 60)


def test_labels_are_part_of_the_hash_of_the_data(tmp_path: Path):
    row = {"prompt": "P", "chosen": "c", "rejected": "r"}
    hashes = {
        load_data(
            Preference, config(jsonl(tmp_path / "p.jsonl", row | {"p": p}), dev_share=0.0)
        ).hash
        for p in (0.8, 0.9)
    }
    assert len(hashes) == 2


def test_the_gate_stands_before_ai_labels(tmp_path: Path):
    path = pairs(tmp_path / "p.jsonl", 20)
    asked = config(path, gate="require")
    with pytest.raises(GateError, match="people have not been asked"):
        load_data(Preference, asked)
    with pytest.raises(GateError, match="gate not passed with 40 pairs"):
        load_data(Preference, asked, validation=Validation(passed=False, labels=40))
    assert load_data(Preference, asked, validation=Validation(passed=True, labels=40)).train
    assert load_data(Preference, config(path, gate="require", origin="human")).train


def test_labels_by_a_model_do_not_pass_as_those_of_people(tmp_path: Path):
    row = {"prompt": "P", "chosen": "c", "rejected": "r", "source": "ai"}
    path = jsonl(tmp_path / "p.jsonl", row)
    with pytest.raises(InputError, match="source: ai in a file with origin: human"):
        list(read_file(path, "human"))
    assert len(list(read_file(path, "ai"))) == 1


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "user", "content": "P"}, {"role": "assistant", "content": "a"}]},
        {"instruction": "P", "input": "", "output": "a"},
        {"prompt": "P", "answer": "a"},
        {
            "input": {"messages": [{"role": "user", "content": "P"}]},
            "preferred_output": [{"role": "assistant", "content": "c"}],
            "non_preferred_output": [{"role": "assistant", "content": "r"}],
        },
    ],
)
@pytest.mark.parametrize("source", ["ai", "revision"])
def test_no_layout_hides_who_made_a_row(tmp_path: Path, row: dict, source: str):
    path = jsonl(tmp_path / "p.jsonl", row | {"source": source})
    with pytest.raises(InputError, match=f"p.jsonl:1: got a row with source: {source} in a file"):
        list(read_file(path, "human"))
    assert len(list(read_file(path, "ai"))) == 1
    assert len(list(read_file(jsonl(path, row | {"source": "web"}), "human"))) == 1


def test_a_folder_without_a_run_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match="without a run"):
        load_training(tmp_path)


def test_overrides_and_paths_of_a_config(tmp_path: Path):
    pairs(tmp_path / "p.jsonl", 5)
    (tmp_path / "t.yaml").write_text("data:\n- file: p.jsonl\n")
    found = load_training(tmp_path / "t.yaml", {"dpo.beta": 0.3, "training.seed": 4})
    assert found.data[0].file == str(tmp_path / "p.jsonl")
    assert (found.dpo.beta, found.training.seed) == (0.3, 4)
    with pytest.raises(ConfigError, match="dpo"):
        load_training(tmp_path / "t.yaml", {"dpo.betta": 0.3})
    with pytest.raises(ConfigError, match="no section"):
        load_training(tmp_path / "t.yaml", {"output.x": 1, "output.x.y": 2})


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": []},
        {"data": [{}]},
        {"data": [{"run": "a", "file": "b"}]},
        {"data": [{"file": "b", "dev_share": 0.6, "held_out_share": 0.4}]},
        {"data": [{"file": "b"}], "training": {"batch_size": 6, "micro_batch_size": 4}},
        {"data": [{"file": "b"}], "rewards": [{"kind": "model"}]},
        {"data": [{"file": "b"}], "ppo": {"kl_in": "loss"}},
        {"data": [{"file": "b"}], "ppo": {"rollouts": 9, "minibatches": 2}},
        {"data": [{"file": "b"}], "ppo": {"kl": 0.0, "kl_target": 1.0}},
        {"data": [{"file": "b", "share": 0.5}]},
        {"data": [{"file": "a"}, {"file": "b", "share": 0.6}, {"file": "c", "share": 0.4}]},
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(wrong: dict):
    with pytest.raises(ValueError):
        TrainConfig.model_validate(wrong)
