"""Every example runs."""

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
# The one that trains models has a test among those with a real model.
TRAINS = ROOT / "examples/12_train_in_python/train.py"
SCRIPTS = sorted(set((ROOT / "examples").rglob("*.py")) - {TRAINS})
# The quickstart has one among those with real processes, too, but its config can generate as well.
CONFIGS = sorted(
    [*(ROOT / "examples").rglob("cai.yaml"), ROOT / "examples/01_quickstart/config.yaml"]
)


def test_there_are_examples():
    assert SCRIPTS
    assert CONFIGS


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
    run = tmp_path / load_config(config).run
    assert (run / "run.db").exists()
    assert (run / "export/preferences.jsonl").stat().st_size > 0


def test_the_overview_names_every_example():
    overview = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    for example in (ROOT / "examples").iterdir():
        if example.name != "README.md" and not example.name.startswith(("runs", "__pycache__")):
            assert f"`{example.name}" in overview
