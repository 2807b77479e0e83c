"""`cai demo`, with the scripted engine in place of the embedded model."""

from pathlib import Path
from typing import Any

import pytest

import cai.cli.demo
import cai.config
import cai.pipeline
from cai.config import Config, load_config
from cai.pipeline import Desk, Outcome
from cai.store import RunStore
from tests.unit.cli_helpers import Cai, shell

FOLDER = "[demo]"


@pytest.fixture
def run_cai(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Cai:
    def scripted(path: Path, overrides: dict[str, Any]) -> Config:
        return load_config(path, {**overrides, "models.policy.engine": "scripted"})

    monkeypatch.setattr(cai.config, "load_config", scripted)
    monkeypatch.chdir(tmp_path)
    return shell(monkeypatch, capsys)


def test_it_is_the_path_of_cai_run(run_cai: Cai, monkeypatch: pytest.MonkeyPatch):
    """All stages, of 12 prompts; that training works is the business of other tests."""
    seen: list[Config] = []

    def carried_out(desk: Desk, **options: Any) -> Outcome:
        seen.append(desk.config)
        return Outcome((), ())

    monkeypatch.setattr(cai.pipeline, "carry_out", carried_out)
    ended = run_cai("demo", "--run", FOLDER)
    assert ended.code == 0, ended.err
    (config,) = seen
    assert (config.run, config.prompts.limit) == (FOLDER, 12)
    assert [one.method for one in config.pipeline.train] == ["sft", "dpo"]
    assert list(config.pipeline.evaluate.wanted) == ["tax"]
    assert config.pipeline.validation == "skip"
    assert "are not installed" not in ended.out
    assert f"cai show {FOLDER} 1" in ended.out


def test_without_the_packages_for_training(
    run_cai: Cai, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(
        cai.cli.demo, "find_spec", lambda name: None if name in ("trl", "peft") else object()
    )
    ended = run_cai("demo", "--run", FOLDER, "--prompts", 3)
    assert ended.code == 0, ended.err
    with RunStore.read(tmp_path / FOLDER) as store:
        assert sum(store.row_counts().values()) == 3
    said = " ".join(ended.out.split())
    assert "because trl, peft are not installed" in said
    assert "pip install 'constitutional-ai[train]'" in said
    assert (tmp_path / FOLDER / "report.html").is_file()
    assert "summary.md" in said and f"cai show {FOLDER} 1" in said
    again = run_cai("demo", "--run", FOLDER, "--prompts", 3)
    assert again.err.count("left as it is, unchanged") == 3
    assert "it was interrupted" not in again.err
