"""Scoring a file: every line, in order, with the figures of its comparisons."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cai.cli.app import app
from cai.errors import InputError, UsageError
from cai.records import Message
from cai.train.rewards.learned import LearnedReward
from cai.train.run import train
from cai.train.score import score_file
from cai.train.settings import TrainConfig
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.filterwarnings("default")


class Words:
    """As many points as words."""

    name = "words"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        self.batches.append(len(completions))
        return [float(len(text.split())) for text in completions]


def written(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_each_form_of_row_is_scored(tmp_path: Path):
    rows = [
        {"prompt": "q", "chosen": "a b c", "rejected": "a"},
        {"prompt": "q", "chosen": "a", "rejected": "a b", "p": 0.2},
        {"prompt": "q", "chosen": "same", "rejected": "same"},
        {"prompt": "q", "ranking": ["a b c", "a b", "a"]},
        {"prompt": "q", "answer": "a b"},
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
    ]
    output = tmp_path / "deep" / "out.jsonl"
    scores = score_file(Words(), written(tmp_path / "in.jsonl", rows), output)
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["line"] for row in found] == [1, 2, 4, 5, 6]
    assert found[0] == {
        "line": 1,
        "chosen": 3.0,
        "rejected": 1.0,
        "margin": 2.0,
        "p": pytest.approx(0.880797),
    }
    # p = 0.2 says that the second is better: it is the chosen one.
    assert found[1]["chosen"] == 2.0
    assert found[2]["rewards"] == [3.0, 2.0, 1.0]
    assert [row["reward"] for row in found[3:]] == [2.0, 1.0]
    assert (scores.rows, scores.left_out) == (5, 1)
    assert scores.mean == pytest.approx((3 + 1 + 2 + 1 + 3 + 2 + 1 + 2 + 1) / 9)
    assert scores.pairs["accuracy"] == 1.0
    assert scores.pairs["shorter_wins"] == 0.0


def test_a_long_file_is_scored_in_parts(tmp_path: Path):
    rows = [{"prompt": "q", "answer": f"{i}"} for i in range(150)]
    reward, told = Words(), []
    score_file(
        reward, written(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl", progress=told.append
    )
    assert reward.batches == [64, 64, 22]
    assert told == [64, 128, 150]


def test_a_broken_line_leaves_no_output(tmp_path: Path):
    path = written(tmp_path / "in.jsonl", [{"prompt": "q", "answer": "a"}, {"what": 1}])
    with pytest.raises(InputError, match=r"in\.jsonl:2"):
        score_file(Words(), path, tmp_path / "out.jsonl")
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]


def test_the_input_is_never_overwritten(tmp_path: Path):
    path = written(tmp_path / "in.jsonl", [{"prompt": "q", "answer": "a"}])
    with pytest.raises(UsageError, match="Name another"):
        score_file(Words(), path, path)


@pytest.fixture(scope="module")
def reward_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_model().save_pretrained(folder / "tiny")
    tiny_tokenizer().save_pretrained(folder / "tiny")
    rows = [{"prompt": f"Say {i}", "chosen": "yes yes", "rejected": f"no {i}"} for i in range(20)]
    pairs = written(folder / "pairs.jsonl", rows)
    sections = {
        "data": [{"file": str(pairs), "origin": "human"}],
        "output": str(folder / "rm"),
        "model": {"name": str(folder / "tiny")},
        "training": {"max_steps": 2, "batch_size": 4, "max_length": 48},
    }
    return train("rm", TrainConfig.model_validate(sections)).folder


def test_from_the_command_line(reward_model: Path, tmp_path: Path):
    rows = [{"prompt": f"Say {i}", "chosen": "yes yes", "rejected": f"no {i}"} for i in range(9)]
    path, output = written(tmp_path / "pairs.jsonl", rows), tmp_path / "scores.jsonl"
    command = ["score", str(reward_model), str(path), "--output", str(output)]
    result = CliRunner().invoke(app, [*command, "--max-length", "48"])
    assert result.exit_code == 0, result.output
    assert "9 scored, 0 left out" in result.output
    assert "95 % interval" in result.output
    found = [json.loads(line) for line in output.read_text().splitlines()]
    reward = LearnedReward.load(reward_model, max_length=48)
    [chosen] = reward.score([(Message("user", "Say 3"),)], ["yes yes"])
    assert found[3]["chosen"] == pytest.approx(chosen, abs=1e-4)


def test_a_model_without_a_reward_is_refused(reward_model: Path, tmp_path: Path):
    path = written(tmp_path / "in.jsonl", [{"prompt": "q", "answer": "a"}])
    command = ["score", str(reward_model.parent / "tiny"), str(path)]
    result = CliRunner().invoke(app, [*command, "--output", str(tmp_path / "out.jsonl")])
    assert result.exit_code != 0
    assert "no weights for score.weight" in str(result.exception)
