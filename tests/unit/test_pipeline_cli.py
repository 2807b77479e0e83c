"""`cai run` and `cai status` as a shell sees them."""

import json
from pathlib import Path

import pytest

from cai.pipeline import training as training_stage
from cai.store.connect import PIPELINE_LOCK, lock_run
from tests.unit.cli_helpers import Cai, shell
from tests.unit.pipeline_helpers import Here, training, write_config, write_tiny

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def cai(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cai:
    monkeypatch.setenv("COLUMNS", "200")
    return shell(monkeypatch, capsys)


def test_a_dry_run_says_what_and_why(cai: Cai, tmp_path: Path):
    tiny = write_tiny(tmp_path / "tiny")
    path = write_config(tmp_path, {"train": [training("dpo", "dpo", tiny)]})
    done = cai("run", path, "--dry-run")
    assert done.code == 0
    assert "Nothing was started" in done.out
    lines = {line.split()[0]: line for line in done.out.splitlines() if "first time" in line}
    assert list(lines) == ["generate", "check", "train/dpo", "report"]
    assert lines["train/dpo"].split()[-1] == "2"
    assert "free" in lines["generate"]
    assert not (tmp_path / "run").exists()


def test_a_run_its_status_and_a_change(cai: Cai, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(training_stage, "in_own_process", Here())
    tiny = write_tiny(tmp_path / "tiny")
    path, run = write_config(tmp_path, {"train": [training("sft", "sft", tiny)]}), tmp_path / "run"
    done = cai("run", path)
    assert done.code == 0
    assert "== generate (1 of 4): first time" in done.err
    assert "== train/sft (3 of 4): first time" in done.err
    assert "step 2 of 2" in done.err
    assert "skipped: not validated by people" in done.out
    assert f"Read {run / 'report.html'} in a browser" in done.out
    status = cai("status", run)
    assert [line.split()[:2] for line in status.out.splitlines() if line.startswith("train/")] == [
        ["train/sft", "done"]
    ]
    as_json = json.loads(cai("status", run, "--json").out)
    assert [one["state"] for one in as_json["pipeline"]["stages"]] == ["done"] * 4
    again = cai("run", path)
    assert again.err.count("left as it is, unchanged") == 4
    changed = cai("run", path, "--set", "loop.seed=9")
    assert changed.code == 2
    assert "loop.seed: 0 → 9" in changed.err
    planned = cai("run", path, "--set", "loop.seed=9", "--dry-run")
    assert "goes on with --update only" in planned.out
    assert "changed: loop" in planned.out
    [check] = [line.split() for line in planned.out.splitlines() if line.startswith("check")]
    assert check == ["check", "look", "if", "generate", "changes", "something"]


def test_waiting_for_people_has_a_code_of_its_own(cai: Cai, tmp_path: Path):
    path, run = write_config(tmp_path, {"validate": "required"}), tmp_path / "run"
    done = cai("run", path)
    assert done.code == 3
    last = done.out.splitlines()[-1]
    assert last.startswith("waiting for ")
    assert last.endswith(f" labels: cai review {run}")
    assert "validate" in cai("status", run).out
    assert "(3 of 4): it was waiting" in cai("run", path).err


def test_a_wrong_setting_asks_nothing(cai: Cai, tmp_path: Path):
    path = write_config(tmp_path, {})
    done = cai("run", path, "--set", "pipeline.check.fail_on=[nonsense]")
    assert done.code == 2
    assert "there is no check 'nonsense'" in done.err
    assert cai("run", path, "--set", "pipeline.nonsense=1").code == 2
    assert not (tmp_path / "run").exists()


def test_a_stage_that_was_killed_is_told_from_one_at_work(cai: Cai, tmp_path: Path):
    path, run = write_config(tmp_path, {}), tmp_path / "run"
    assert cai("run", path, "--until", "check").code == 0
    record = json.loads((run / "pipeline.json").read_text())
    record["stages"][1]["state"] = "running"
    (run / "pipeline.json").write_text(json.dumps(record))

    def state() -> str:
        lines = cai("status", run).out.splitlines()
        return next(line.split()[1] for line in lines if line.startswith("check"))

    assert state() == "interrupted"
    lock = lock_run(run, PIPELINE_LOCK)
    assert state() == "running"
    busy = cai("run", path)
    assert busy.code == 1
    assert "Another process is writing to the run" in busy.err
    lock.close()


def test_what_is_said_is_inert_on_a_terminal(cai: Cai, tmp_path: Path):
    path, run = write_config(tmp_path, {}), tmp_path / "run"
    cai("run", path, "--until", "check")
    record = json.loads((run / "pipeline.json").read_text())
    record["stages"][1]["said"] = "\x1b[2Jgone [bold]x[/bold]\nnext"
    (run / "pipeline.json").write_text(json.dumps(record))
    out = cai("status", run).out
    assert "\x1b" not in out
    assert "[bold]x[/bold] next" in out


def test_a_pipeline_whose_models_cannot_start_has_a_status(cai: Cai, tmp_path: Path):
    models = {"policy": {"engine": "transformers", "model": str(tmp_path / "none")}}
    path, run = write_config(tmp_path, {}, models=models), tmp_path / "run"
    done = cai("run", path)
    assert done.code == 1
    assert "there is no model" in done.err
    [line] = [one for one in cai("status", run).out.splitlines() if one.startswith("generate")]
    assert line.split()[1] == "failed"
    assert "there is no model" in line
