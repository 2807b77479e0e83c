"""The quickstart in its smallest form: the config as it stands, on a stand-in and a tiny model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cai
from cai.config import load_config
from cai.evaluate.results import EVALUATION, read_results
from cai.store.stages import read_stages
from tests.unit.pipeline_helpers import write_tiny

pytestmark = pytest.mark.integration

ROOT = Path(cai.__file__).parent.parent
CONFIG = ROOT / "examples/01_quickstart/config.yaml"
MAIN = "from cai.cli import main; main()"


def quickstart(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    tiny = folder / "tiny"
    smallest = [
        *("models.policy.engine=scripted", "prompts.limit=24", "loop.sample.max_tokens=8"),
        *(f"pipeline.train.sft.settings.model.name={tiny}", "pipeline.evaluate.limit=4"),
        *(
            f"pipeline.train.{name}.settings.{key}"
            for name in ("sft", "dpo")
            for key in ("training.max_steps=2", "model.adapt=full")
        ),
    ]
    settings = [part for one in smallest for part in ("--set", one)]
    return subprocess.run(
        [sys.executable, "-c", MAIN, "run", str(CONFIG), *settings, *options],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "GOMP_SPINCOUNT": "1000"},
        timeout=600,
    )


def test_the_quickstart_from_prompts_to_a_report(tmp_path: Path):
    write_tiny(tmp_path / "tiny")
    planned = quickstart(tmp_path, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.count("first time") == 6
    done = quickstart(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    run = tmp_path / load_config(CONFIG).run
    stages = read_stages(run)
    assert stages is not None
    assert [(one.name, one.state) for one in stages.stages] == [
        (name, "done")
        for name in ("generate", "check", "train/sft", "train/dpo", "evaluate", "report")
    ]
    dpo = json.loads((run / "models/dpo/training.json").read_text())
    assert Path(dpo["config"]["model"]["name"]).name == "sft"
    found = {one.kind: one for one in read_results(run / EVALUATION)}
    assert set(found) == {"refusal", "tax"}
    assert found["tax"].subjects == ("policy", "sft", "dpo")
    summary = (run / "summary.md").read_text()
    for heading in ("Evaluation", "Trained models", "Labels", "Stages"):
        assert f"\n## {heading}\n" in summary
    # The stand-in guesses, so the report gives no rate of refusals.
    assert "not measurable with this evaluator" in summary
    assert "Not validated by people" in summary
    page = (run / "report.html").read_text()
    assert "<script" not in page
    again = quickstart(tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("left as it is, unchanged") == 6
