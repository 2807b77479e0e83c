"""Pairs of a trained policy's own answers: what `cai train` writes is what a run samples from."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cai
from cai.cli.app import app
from cai.config import Config, parse_config
from cai.config.policy import with_policy
from cai.engines import VllmEngine
from cai.errors import ChangedRunError
from cai.store import RunStore
from cai.train.data import load_data
from cai.train.examples import Preference
from cai.train.models import save
from cai.train.run import train
from cai.train.settings import TrainConfig
from tests.unit import fake_vllm
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one step of DPO with adapters leaves of a tiny model."""
    folder = tmp_path_factory.mktemp("models")
    save(tiny_model(), tiny_tokenizer(), folder / "base")
    lines = [{"prompt": f"Say {i}", "chosen": "yes", "rejected": "no"} for i in range(8)]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    config = {
        "data": [{"file": str(folder / "pairs.jsonl")}],
        "gate": "report",
        "output": str(folder / "dpo"),
        "model": {"name": str(folder / "base"), "adapt": "lora"},
        "training": {"max_steps": 1, "batch_size": 2, "micro_batch_size": 2, "max_length": 48},
    }
    return train("dpo", TrainConfig.model_validate(config)).folder


def config(folder: Path) -> Config:
    (folder / "prompts.txt").write_text("Hello?\n", encoding="utf-8")
    return parse_config(
        {
            "run": str(folder / "run"),
            "prompts": {"path": str(folder / "prompts.txt")},
            "models": {"policy": {"engine": "scripted", "model": "judge"}},
            "loop": {"rounds": 0, "sample": {"max_tokens": 8}, "truncated": "keep"},
        }
    )


def test_a_trained_folder_answers_the_prompts(trained: Path, tmp_path: Path) -> None:
    before = config(tmp_path)
    (row,) = cai.Generation(with_policy(before, trained))
    assert not row.failed
    assert len({sample.raw for sample in row.samples}) == 2
    with RunStore.read(tmp_path / "run") as store:
        names = store.meta("fingerprints")
    record = json.loads((trained / "training.json").read_text("utf-8"))
    # The base before training has the same name and other weights.
    assert names["policy"].split("@")[0] == record["fingerprint"].split("@")[0]
    assert names["judge"] == names["critic"] == "scripted/judge"
    # Other weights are another model: their answers are not mixed.
    with pytest.raises(ChangedRunError, match=r"models\.policy\.fingerprint"):
        list(cai.Generation(with_policy(before, trained.parent / "base")))


def test_the_command_takes_a_folder(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "cai.yaml"
    path.write_text(config(tmp_path).model_dump_json(), encoding="utf-8")
    done = CliRunner().invoke(app, ["generate", str(path), "--policy", str(trained)])
    assert done.exit_code == 0, done.output
    assert "transformers/llama@" in done.output
    wrong = [
        "generate",
        str(path),
        "--policy",
        str(tmp_path / "none"),
        "--run",
        str(tmp_path / "x"),
    ]
    refused = CliRunner().invoke(app, wrong)
    assert refused.exit_code != 0
    assert "there is no model" in str(refused.exception or refused.output)


async def test_vllm_loads_the_same_folder(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_vllm.install(monkeypatch)
    engine = VllmEngine(str(trained))
    await engine.start()
    assert fake.arguments[0]["model"] == str(trained)
    assert engine.fingerprint.startswith("vllm/llama@")
    await engine.close()


def test_a_policy_in_process_keeps_its_settings(tmp_path: Path) -> None:
    given = {
        "prompts": {"path": "p.txt"},
        "models": {
            "policy": {
                "engine": "vllm",
                "model": "org/base",
                "revision": "abc",
                "dtype": "bfloat16",
                "vllm": {"adapter": "lora", "max_model_len": 99},
            },
            "judge": {"engine": "openai", "model": "judge"},
        },
    }
    before = parse_config(given)
    models = with_policy(before, tmp_path).models
    assert (models.policy.model, models.policy.revision) == (str(tmp_path), None)
    assert (models.policy.dtype, models.policy.engine) == ("bfloat16", "vllm")
    assert (models.policy.vllm.adapter, models.policy.vllm.max_model_len) == (None, 99)
    assert (models.critic, models.judge) == (before.models.policy, before.models.judge)


def test_what_is_set_aside_is_not_trained_on(tmp_path: Path) -> None:
    loop = {"samples": 4, "rounds": 0, "pairs": ["samples", "contrast"]}
    given = config(tmp_path).model_dump(mode="json") | {"split": {"dev": 0.0, "held_out": 0.0}}
    changes = {**loop, "pairing": "best_worst", "contrast": {"judge": False}}
    given["loop"] |= changes
    (row,) = cai.Generation(parse_config(given))
    used = [pair for pair in row.pairs if pair.is_preference]
    assert len(row.pairs) == 7
    assert len(used) in (1, 2)
    source = {"data": [{"run": str(tmp_path / "run")}], "gate": "report"}
    found = load_data(Preference, TrainConfig.model_validate(source)).train
    assert [(one.id, one.p) for one in found] == [
        (pair.id, pair.oriented().soft_label) for pair in used
    ]
    assert found[-1].p == 1.0
