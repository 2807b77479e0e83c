"""Every example runs, with stand-ins for models. Some have tests of their own beside this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cai
from cai.cli.app import app
from cai.config import load_config

ROOT = Path(cai.__file__).parent.parent
# The one that trains models has a test among those with a real model; others need a run or data.
ELSEWHERE = {
    ROOT / "examples/12_train_in_python/train.py",
    ROOT / "examples/05_human_validation/made_up_labels.py",
    ROOT / "examples/14_experiment/prepare.py",
}
SCRIPTS = sorted(set((ROOT / "examples").rglob("*.py")) - ELSEWHERE)
CONFIGS = sorted((ROOT / "examples").rglob("config.yaml"))


def test_there_are_examples():
    assert SCRIPTS
    assert len(CONFIGS) > 5
    assert all(path.is_file() for path in ELSEWHERE)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_scripts(script, tmp_path):
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.parent.name)
def test_configs(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["generate", str(config), "--engine", "scripted"])
    assert result.exit_code == 0, result.output
    settings = load_config(config)
    run = tmp_path / settings.run
    assert (run / "run.db").exists()
    # Some make no pairs, and are there for their prompts or for revisions.
    loop = settings.loop
    makes_pairs = bool(loop.pairs) and (loop.samples > 1 or loop.rounds > 0)
    assert ((run / "export/preferences.jsonl").stat().st_size > 0) is makes_pairs


def test_a_config_for_gpus_is_planned_and_served(tmp_path, monkeypatch):
    """What can be known of it without a GPU: it is read, walked, and made into a command."""
    monkeypatch.chdir(tmp_path)
    config = ROOT / "examples/04_vllm/gpu.yaml"
    models = load_config(config).models
    planned = CliRunner().invoke(app, ["plan", str(config), "--limit", "4"])
    assert planned.exit_code == 0, planned.output
    for model in (models.policy, models.judge):
        assert model.model in planned.output
    served = CliRunner().invoke(app, ["serve", str(config), "--role", "judge", "--port", "8001"])
    assert served.exit_code == 0, served.output
    assert "--tensor-parallel-size 2" in served.output
    assert "--max-model-len 4096" in served.output
    # The port is the one that the config asks.
    assert models.judge.base_url in served.output


def test_the_overview_names_every_example():
    overview = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    for example in (ROOT / "examples").iterdir():
        if example.name != "README.md" and not example.name.startswith(("runs", "__pycache__")):
            assert f"`{example.name}" in overview
