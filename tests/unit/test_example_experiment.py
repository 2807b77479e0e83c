"""The experiment in its smallest form: made-up comparisons, and a stand-in for the model."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cai
from cai.cli.app import app
from cai.config import load_config

ROOT = Path(cai.__file__).parent.parent
NOUNS = [
    "anchor",
    "bottle",
    "candle",
    "drawer",
    "engine",
    "feather",
    "garden",
    "hammer",
    "island",
    "jacket",
    "kettle",
    "ladder",
]


@pytest.fixture
def folder(tmp_path):
    """A copy of the example with the files that `prepare.py` makes of 48 comparisons."""
    copied = tmp_path / "experiment"
    shutil.copytree(ROOT / "examples/14_experiment", copied)
    with gzip.open(copied / "hh.jsonl.gz", "wt") as file:
        for i in range(48):
            asked = f"\n\nHuman: What is a {NOUNS[i % 12]} number {i} good for?\n\nAssistant:"
            row = {"chosen": f"{asked} For many things.", "rejected": f"{asked} Go away."}
            file.write(json.dumps(row) + "\n")
    command = [sys.executable, "prepare.py", "hh.jsonl.gz", "--training", "10", "--unseen", "8"]
    done = subprocess.run(
        command,
        cwd=copied,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return copied


def prompts(path):
    with gzip.open(path, "rt") as file:
        return {json.loads(line)["chosen"].rpartition("\n\nAssistant:")[0] for line in file}


def test_no_prompt_of_the_evaluation_is_trained_on(folder):
    training = prompts(folder / "training.jsonl.gz")
    unseen = prompts(folder / "unseen.jsonl.gz")
    labelled = prompts(folder / "labelled.jsonl.gz")
    assert (len(training), len(unseen)) == (10, 8)
    assert not training & unseen
    assert unseen <= labelled
    # Held out by hash: about half.
    assert 12 < len(labelled) < 36


def test_its_config_makes_pairs_of_these_prompts(folder, monkeypatch):
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, ["generate", "experiment.yaml", "--engine", "scripted"])
    assert result.exit_code == 0, result.output
    run = folder / load_config(folder / "experiment.yaml").run
    assert (run / "export/preferences.jsonl").stat().st_size > 0
