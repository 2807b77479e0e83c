"""`--subject NAME=MODEL`: what it may be, and folders that `cai train` wrote."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cai.cli.evaluate.subjects import model_of, parse_subject, parse_subjects
from cai.config import Config, parse_config
from cai.engines.inprocess.adapters import whole_model
from cai.engines.inprocess.loading import Source, load
from cai.errors import ConfigError, UsageError
from cai.train.models import save
from cai.train.run import train
from cai.train.settings import TrainConfig
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.filterwarnings("default")
EMBEDDED = "smollm2-135m-instruct"


def config(**models: Any) -> Config:
    return parse_config({"prompts": {"path": "starter"}, "models": models})


PLAIN = config()


@pytest.mark.parametrize(
    ("text", "name", "engine", "model", "url"),
    [
        (f"base={EMBEDDED}", "base", "transformers", EMBEDDED, None),
        (EMBEDDED, EMBEDDED, "transformers", EMBEDDED, None),
        ("hub=org/Model-1B", "hub", "transformers", "org/Model-1B", None),
        ("org/Model-1B", "Model-1B", "transformers", "org/Model-1B", None),
        ("o=openai:gpt", "o", "openai", "gpt", None),
        ("openai:org/gpt@https://h:1/v1", "gpt", "openai", "org/gpt", "https://h:1/v1"),
        ("o=openai:a@b@http://h/v1?x=1", "o", "openai", "a@b", "http://h/v1?x=1"),
        ("v=vllm:org/Model", "v", "vllm", "org/Model", None),
        ("s=scripted:x", "s", "scripted", "x", None),
        ("j=config:judge", "j", "transformers", EMBEDDED, None),
        ("config:policy", "policy", "transformers", EMBEDDED, None),
    ],
)
def test_what_a_subject_may_be(
    text: str, name: str, engine: str, model: str, url: str | None
) -> None:
    subject = parse_subject(text, PLAIN)
    found = subject.model
    assert (subject.name, found.engine, found.model, found.base_url) == (name, engine, model, url)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x=", "no model is named. Allowed are NAME=MODEL"),
        ("x=nowhere", "no folder or model 'nowhere'.*openai:MODEL"),
        ("x=smollm2-135m-instuct", "Did you mean 'smollm2-135m-instruct'"),
        ("x=opnai:gpt", "no engine 'opnai'. Did you mean 'openai'"),
        ("x=openai:", "no model is named after 'openai:'"),
        ("x=config:polcy", "no role 'polcy'. It has policy, critic, judge. Did you mean 'policy'"),
        ("=org/model", "the name is ''"),
        ("a b=org/model", "the name is 'a b'"),
        ("\x1b[2J=org/model", "the name is"),
        ("x" * 65 + "=org/model", "up to 64 letters"),
        ("..=org/model", "the name is '..'"),
    ],
)
def test_what_is_no_subject_is_told_what_is_allowed(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_subject(text, PLAIN)


def test_the_policy_alone_when_none_is_named() -> None:
    (only,) = parse_subjects(None, config(policy={"engine": "scripted", "model": "p"}))
    assert (only.name, only.model.engine, only.model.model) == ("policy", "scripted", "p")
    with pytest.raises(UsageError, match="two subjects are called 'a'"):
        parse_subjects(["a=org/one", "a=org/two"], PLAIN)


def test_settings_of_the_policy_hold_for_the_same_engine() -> None:
    served = config(
        policy={"engine": "openai", "model": "p", "base_url": "http://p/v1", "timeout_s": 7}
    )
    same = model_of("openai:other", served, "x")
    assert (same.model, same.base_url, same.timeout_s) == ("other", "http://p/v1", 7)
    elsewhere = model_of("openai:other@http://o/v1", served, "x")
    assert (elsewhere.base_url, elsewhere.timeout_s) == ("http://o/v1", 7)
    assert model_of(EMBEDDED, served, "x").base_url is None
    options = {"adapter": "lora", "max_model_len": 99}
    fast = config(policy={"engine": "vllm", "model": "p", "revision": "r", "vllm": options})
    found = model_of("org/other", fast, "x")
    assert (found.engine, found.revision, found.vllm.adapter) == ("vllm", None, None)
    assert found.vllm.max_model_len == 99
    assert model_of("transformers:org/other", fast, "x").engine == "transformers"


def test_a_file_has_all_settings(tmp_path: Path) -> None:
    file = tmp_path / "served.yaml"
    file.write_text("engine: openai\nmodel: m\napi_key_env: MY_KEY\n", encoding="utf-8")
    subject = parse_subject(str(file), PLAIN)
    assert (subject.name, subject.model.api_key_env) == ("served", "MY_KEY")
    file.write_text("engin: openai\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"unknown key 'engin'.*'engine'"):
        parse_subject(str(file), PLAIN)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A step of DPO with adapters, and its checkpoint."""
    folder = tmp_path_factory.mktemp("models")
    save(tiny_model(), tiny_tokenizer(), folder / "base")
    lines = [{"prompt": f"Say {i}", "chosen": "yes", "rejected": "no"} for i in range(8)]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    steps = {"max_steps": 1, "batch_size": 2, "micro_batch_size": 2, "max_length": 48}
    settings = {
        "data": [{"file": str(folder / "pairs.jsonl")}],
        "gate": "report",
        "output": str(folder / "dpo"),
        "model": {"name": str(folder / "base"), "adapt": "lora"},
        "training": {**steps, "learning_rate": 0.5, "checkpoint_every": 1},
    }
    return train("dpo", TrainConfig.model_validate(settings)).folder


def test_a_trained_folder_and_its_checkpoint_are_the_same_model(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setenv("CAI_CACHE_DIR", str(tmp_path / "cache"))
    whole = parse_subject(f"tuned={trained}", PLAIN).model
    assert (whole.engine, whole.model) == ("transformers", str(trained.absolute()))
    checkpoint = trained / "checkpoints" / "checkpoint-1"
    assert not (checkpoint / "config.json").exists()
    folded = parse_subject(f"step={checkpoint}", PLAIN).model.model
    assert Path(folded).is_relative_to(tmp_path / "cache")
    ours, theirs, base = (
        load(Source(str(path), device="cpu")).model.state_dict()
        for path in (folded, trained, trained.parent / "base")
    )
    assert all(torch.allclose(ours[key], theirs[key], atol=1e-5) for key in ours)
    assert any(not torch.allclose(ours[key], base[key], atol=1e-3) for key in ours)
    # Folded once: the folder is known by what is in it, not by where it is.
    copy = tmp_path / "copy"
    shutil.copytree(checkpoint, copy)
    stamp = (Path(folded) / "config.json").stat().st_mtime_ns
    assert str(whole_model(copy, "x")) == folded
    assert (Path(folded) / "config.json").stat().st_mtime_ns == stamp
    assert not list((tmp_path / "cache" / "models").glob(".folding-*"))


def test_folders_without_a_model_are_told_what_is_in_them(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no model\..*Within it are: checkpoint-1"):
        parse_subject(f"x={trained / 'checkpoints'}", PLAIN)
    checkpoint = tmp_path / "rm"
    shutil.copytree(trained / "checkpoints" / "checkpoint-1", checkpoint)
    said = json.loads((checkpoint / "adapter_config.json").read_text(encoding="utf-8"))
    for change, says in (
        ({"task_type": "SEQ_CLS"}, "for the task SEQ_CLS, and give no answers"),
        ({"base_model_name_or_path": None}, "does not say what it adapts"),
    ):
        text = json.dumps({**said, **change})
        (checkpoint / "adapter_config.json").write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=says):
            parse_subject(f"x={checkpoint}", PLAIN)
    (checkpoint / "adapter_config.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="does not say what it adapts"):
        parse_subject(f"x={checkpoint}", PLAIN)
