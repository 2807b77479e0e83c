"""When the watch gives alarm, and what a config may ask of it."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from cai.errors import ConfigError
from cai.train.run import train
from cai.train.settings import TrainConfig, WatchConfig
from cai.train.watch.verdict import Look, alarms
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.filterwarnings("default")

FIRST = Look(0, (0.1,) * 20, (0.5,) * 20, {"completion_length": 10.0})
FALLEN = tuple(0.3 + 0.01 * (i % 5) for i in range(20))


def test_hacking_is_a_reward_that_rises_while_the_gold_falls():
    hacked = Look(20, (0.9,) * 20, FALLEN)
    assert "gold fell from 0.5 (step 0) to 0.32" in alarms(hacked, FIRST, FIRST, WatchConfig())[0]
    honest = Look(20, (0.05,) * 20, FALLEN)
    assert alarms(honest, FIRST, FIRST, WatchConfig()) == []


def test_a_fall_that_chance_explains_is_no_alarm():
    # Mean difference -0.1, standard deviation 1.03, standard error 0.23: well within 1.645 of it.
    noisy = tuple(0.5 + (0.9 if i % 2 else -1.1) for i in range(20))
    assert alarms(Look(20, (0.9,) * 20, noisy), FIRST, FIRST, WatchConfig()) == []


@pytest.mark.parametrize(
    ("figures", "limits", "words"),
    [
        ({"completion_length": 31.0}, {}, "length of answers is 31, above 30"),
        ({"repetition": 0.6}, {}, "repetition is 0.6, above 0.5"),
        ({"refusal": 0.6}, {}, "rate of refusals is 0.6, above 0.5"),
        ({"kl": 12.0}, {"max_kl": 10.0}, "divergence is 12, above 10"),
        ({"entropy": 0.1}, {"min_entropy": 0.2}, "entropy is 0.1, below 0.2"),
    ],
)
def test_limits(figures: dict[str, float], limits: dict[str, Any], words: str):
    config = WatchConfig.model_validate(limits)
    [found] = alarms(Look(20, figures=figures), FIRST, FIRST, config)
    assert words in found
    fine = dict.fromkeys(figures, 0.3)
    assert alarms(Look(20, figures=fine), FIRST, FIRST, config) == []


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def config(base: Path, folder: Path, **sections: Any) -> TrainConfig:
    rows = [{"prompt": f"Say {i}", "chosen": "yes", "rejected": f"no {i}"} for i in range(40)]
    data = folder / "pairs.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TrainConfig.model_validate(
        {
            "data": [{"file": str(data), "dev_share": 0.3}],
            "gate": "report",
            "output": str(folder / "out"),
            "model": {"name": str(base)},
            "training": {
                "max_steps": 6,
                "batch_size": 4,
                "micro_batch_size": 4,
                "max_length": 48,
                "max_prompt_length": 40,
                "learning_rate": 1e-3,
                "checkpoint_every": 2,
            },
            "rewards": [{"kind": "length", "target": 3}],
            "ppo": {
                "rollouts": 4,
                "epochs": 1,
                "minibatches": 1,
                "generate": {"max_tokens": 6},
            },
            "grpo": {"group_size": 4, "generate": {"max_tokens": 6}},
            **sections,
        }
    )


WATCHED = {"every": 2, "prompts": 8, "gold": [{"kind": "repetition", "ngram": 1}]}


@pytest.mark.parametrize("method", ["ppo", "grpo"])
def test_a_training_that_is_resumed_continues_log_and_watch(
    method: Any, base: Path, tmp_path: Path
):
    whole = train(method, config(base, tmp_path / "whole", watch=WATCHED))
    parts = config(base, tmp_path / "parts", watch=WATCHED)
    half = parts.training.model_copy(update={"max_steps": 4, "schedule": "constant"})
    # The first part ends early and is not finished: its folder has no training.json.
    train(method, parts.model_copy(update={"training": half}))
    (tmp_path / "parts/out/training.json").unlink()
    resumed = train(method, parts, resume=True)
    steps = [int(row["step"]) for row in _rows(resumed.folder) if "reward" in row]
    assert steps == [1, 2, 3, 4, 5, 6]
    looks = [
        [look["step"] for look in orjson.loads((r.folder / "watch.json").read_bytes())["looks"]]
        for r in (whole, resumed)
    ]
    assert looks == [[0, 2, 4, 6]] * 2
    assert "Gold on 8 dev prompts" in (resumed.folder / "README.md").read_text()


def _rows(folder: Path) -> list[dict[str, float]]:
    return [orjson.loads(line) for line in (folder / "log.jsonl").read_bytes().splitlines()]


def test_what_was_not_watched_is_said(base: Path, tmp_path: Path):
    result = train("ppo", config(base, tmp_path))
    assert "Gold: none" in result.watch[0]
    assert "Refusals: not measured" in result.watch[1]
    assert "nobody knows whether the reward was hacked" in (result.folder / "README.md").read_text()


def test_refusals_are_counted_when_a_classifier_is_given(base: Path, tmp_path: Path):
    refusal = {"kind": "python", "path": "tests.unit.test_train_watch:always"}
    watch = {"every": 2, "prompts": 8, "refusal": refusal, "patience": 1, "action": "stop"}
    result = train("ppo", config(base, tmp_path, watch=watch))
    assert "Rate of refusals: 1 before, 1 at the end." in result.watch
    assert result.steps == 2
    assert any("rate of refusals is 1, above 0.5" in line for line in result.watch)


def always(prompts: Any, completions: list[str]) -> list[float]:
    return [1.0] * len(completions)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"watch": {"gold": [{"kind": "length", "target": 3, "weight": 0.5}]}},
            "also trained on",
        ),
        ({"watch": {"action": "rollback"}}, r"needs a gold \(got 0\)"),
    ],
)
def test_a_watch_that_could_not_see_is_refused(
    sections: dict[str, Any], message: str, base: Path, tmp_path: Path
):
    with pytest.raises(ConfigError, match=message):
        train("ppo", config(base, tmp_path, **sections))


def test_a_gold_needs_prompts_that_are_not_trained_on(base: Path, tmp_path: Path):
    made = config(base, tmp_path, watch=WATCHED)
    source = made.data[0].model_copy(update={"dev_share": 0.0})
    with pytest.raises(ConfigError, match="data have none"):
        train("ppo", made.model_copy(update={"data": (source,)}))
