"""`cai bench trainers` as a user starts it: each method in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cai
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.integration

ROOT = Path(cai.__file__).parent.parent
MAIN = "from cai.cli import main; main()"
CONFIG = """\
data: [{file: pairs.jsonl, origin: human, dev_share: 0.3}]
model: {name: tiny}
training: {batch_size: 4, micro_batch_size: 2, max_length: 48, max_prompt_length: 40}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model().save_pretrained(tmp_path / "tiny")
    tiny_tokenizer().save_pretrained(tmp_path / "tiny")
    rows = [{"prompt": f"Say {i}", "chosen": "yes yes", "rejected": f"no {i}"} for i in range(30)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "training.yaml").write_text(CONFIG)
    return tmp_path


def bench(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, "bench", "trainers", "training.yaml", *options],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        timeout=300,
    )


def test_a_comparison_and_the_same_again(folder: Path):
    options = ("--methods", "dpo", "--steps", "2", "--output", "out")
    done = bench(folder, *options)
    assert done.returncode == 0, done.stderr
    assert "dpo-train: step 2 of 2: " in done.stdout
    assert "GRPO needs about half of PPO's memory\" was not checked" in done.stdout
    found = json.loads((folder / "out/bench.json").read_text())
    [outcome] = found["outcomes"]
    # A process with torch in it has more than a hundred MB, whatever it does.
    assert outcome["peak_mb"] > 100
    assert outcome["over_mb"] == outcome["peak_mb"] - found["bare_mb"]
    assert outcome["divergence"]["k3"] >= 0.0
    assert {path.name for path in (folder / "out").iterdir()} == {
        *("bench.json", "bench.md", "dpo", "jobs")
    }
    again = bench(folder, *options)
    assert again.returncode == 0, again.stderr
    assert "step 2 of 2" not in again.stdout
    assert json.loads((folder / "out/bench.json").read_text()) == found


def test_what_goes_wrong_in_a_process_is_said_by_the_command(folder: Path):
    done = bench(folder, "--set", "model.name=nowhere/to/be/found", "--output", "out")
    assert done.returncode == 1
    assert done.stderr.startswith("error: bare: ")
    assert "nowhere/to/be/found" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_ends_when_nobody_waits_for_it(folder: Path):
    job = {
        "name": "dpo-train",
        "kind": "train",
        "key": "",
        "method": "dpo",
        "config": {
            "data": [{"file": str(folder / "pairs.jsonl"), "origin": "human"}],
            "output": str(folder / "out"),
            "model": {"name": str(folder / "tiny")},
            "training": {"max_steps": 100_000, "evaluate_every": 100_000},
        },
    }
    (folder / "job.json").write_text(json.dumps(job))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "cai.train.compare.child", str(folder / "job.json")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        # It is at work.
        assert b"say" in process.stdout.readline()
        process.stdin.close()
        assert process.wait(timeout=60) == 1
    assert not (folder / "out/training.json").exists()
