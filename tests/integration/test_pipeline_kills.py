"""`kill -9` in every stage of a pipeline: nothing is asked twice, and the end is the same."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cai
from cai.config import load_config
from cai.evaluate.results import read_results
from cai.hashing import canonical_json
from cai.store import RunStore, rows_for
from cai.store.stages import Stages, read_stages
from tests.unit.pipeline_helpers import training, write_config, write_tiny
from tests.unit.validation_helpers import label_all, winner

pytestmark = pytest.mark.integration

ROOT = Path(cai.__file__).parent.parent

# Kills itself in a stage: at so many answers, when a training says something, or before something
# is written. Each answer is noted in a file of its own before it reaches the store, so that the
# test can tell what was asked twice.
SCRIPT = """
import os, signal, sys
from pathlib import Path

from cai.engines import ScriptedEngine, TransformersEngine
from cai.config import load_config
from cai.pipeline import Desk, Watcher, carry_out, checking, reporting, validating

config, log, stage, when = sys.argv[1:]

class Killing(Watcher):
    now, answers = "", 0

    def heading(self, stage, number, total, why):
        Killing.now, Killing.answers = stage.name, 0

    def say(self, text):
        die(text.startswith(when))

def die(due):
    if due and Killing.now == stage:
        os.kill(os.getpid(), signal.SIGKILL)

def noting(engine):
    complete = engine.complete
    async def noted(self, request):
        completion = await complete(self, request)
        with open(log, "a") as file:
            file.write(request.identity(self.fingerprint) + "\\n")
        Killing.answers += 1
        die(when == str(Killing.answers))
        return completion
    engine.complete = noted

def before(module, name):
    function = getattr(module, name)
    def dying(*args, **named):
        die(when == "before")
        return function(*args, **named)
    setattr(module, name, dying)

noting(ScriptedEngine)
noting(TransformersEngine)
before(checking, "write_findings")
before(validating, "make_report")
before(reporting, "write_page")
print(carry_out(Desk(load_config(config), watcher=Killing())).waiting or "finished", flush=True)
"""

KILLS = [
    ("generate", "60"),
    ("check", "before"),
    ("validate", "before"),
    ("train/sft", "step 3 of 4: eval"),
    ("train/dpo", "Log-probabilities"),
    # The models answer first, then the judge is asked.
    ("evaluate", "60"),
    ("report", "before"),
]


def write(folder: Path, tiny: Path) -> Path:
    folder.mkdir()
    steps = {"training.max_steps": 4}
    trainings = [
        training("sft", "sft", tiny, settings=steps),
        training("dpo", "dpo", **{"from": "sft"}, settings=steps),
    ]
    evaluate = {"refusal": {"draws": 100}, "winrate": {"draws": 100}, "limit": 4}
    gate = {"min_labels": 2, "min_alpha": None, "min_kappa": None, "alternative_annotator": False}
    return write_config(
        folder,
        {"validate": "required", "train": trainings, "evaluate": evaluate},
        validation={"gate": gate, "annotators": 1, "overlap": 1.0, "repeats": 0.0},
        runtime={"concurrency": 4},
    )


def start(path: Path, log: Path, stage: str = "", when: str = "") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), str(log), stage, when],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GOMP_SPINCOUNT": "1000"},
        timeout=600,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-3000:]
    return done.returncode, done.stdout.strip()


def label(path: Path) -> None:
    """One person labels all that was drawn, as the judge has it."""
    with RunStore.open(Path(load_config(path).run)) as store:
        label_all(store, ["Ada"], lambda _, item: winner(item))


def to_the_end(path: Path, log: Path) -> None:
    assert start(path, log)[1].startswith("waiting for ")
    label(path)
    assert start(path, log) == (0, "finished")


def answered(run: Path) -> set[str]:
    return stored(run) | stored(run / "evaluation")


def stored(folder: Path) -> set[str]:
    if not (folder / "run.db").exists():
        return set()
    with RunStore.read(folder) as store:
        return set(store.request_ids())


def result(run: Path) -> dict[str, Any]:
    """All that must not depend on how often a pipeline was killed."""
    with RunStore.read(run) as store:
        store.check()
        rows = [canonical_json(row) for row, _ in rows_for(store, "report")]
    weights = {
        name: hashlib.sha256((run / f"models/{name}/model.safetensors").read_bytes()).hexdigest()
        for name in ("sft", "dpo")
    }
    evaluations = [
        (one.kind, one.subjects, one.figures, one.evaluators, one.notes)
        for one in read_results(run / "evaluation")
    ]
    return {
        "rows": rows,
        "calls": stored(run),
        "weights": weights,
        "evaluations": evaluations,
        # What a judge is shown there has codes that only this store knows, and ids of its own.
        "calls of evaluations": len(stored(run / "evaluation")),
        "exports": {p.name: p.read_bytes() for p in (run / "export").glob("*.jsonl")},
    }


def stages(run: Path) -> Stages:
    found = read_stages(run)
    assert found is not None
    return found


def test_a_kill_in_every_stage_changes_nothing(tmp_path: Path) -> None:
    tiny = write_tiny(tmp_path / "tiny")
    calm = write(tmp_path / "calm", tiny)
    to_the_end(calm, tmp_path / "calm.log")

    path, log = write(tmp_path / "killed", tiny), tmp_path / "killed.log"
    run, labelled = tmp_path / "killed/run", False
    log.touch()
    for stage, when in KILLS:
        if stage.startswith("train") and not labelled:
            assert start(path, log)[1].startswith("waiting for ")
            label(path)
            labelled = True
        before, lines = answered(run), len(log.read_text().splitlines())
        code, _ = start(path, log, stage, when)
        assert code == -signal.SIGKILL, f"was not killed in {stage} at {when}"
        record = stages(run).find(stage)
        assert record is not None
        assert record.state == "running"
        asked = set(log.read_text().splitlines()[lines:])
        assert not before & asked, f"an answered call was asked again after {stage}"
        assert before <= answered(run), "a stored answer was lost"
    before, lines = answered(run), len(log.read_text().splitlines())
    assert start(path, log) == (0, "finished")
    assert not before & set(log.read_text().splitlines()[lines:])

    assert {one.state for one in stages(run).stages} == {"done"}
    assert result(run) == result(tmp_path / "calm/run")
    assert (run / "report.html").is_file()
    # One training went on from its checkpoint; the other had none yet.
    resumed = {
        name: json.loads((run / f"pipeline/{name}.job.json").read_text())["resume"]
        for name in ("sft", "dpo")
    }
    assert resumed == {"sft": True, "dpo": False}
