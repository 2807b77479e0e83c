"""`cai status`, while a process writes and after."""

import asyncio
import json
import sqlite3
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cai.cli.app import app
from cai.engines.batch.ledger import Ledger
from cai.errors import StoreError
from cai.records import Row, Usage
from cai.store import RunStore
from cai.store.connect import lock_run, locked_since
from cai.store.status import run_status
from tests.unit.store_helpers import PLAN, answered, ask, fill, full_row, request

CONFIG = {
    "prompts": {"limit": None},
    "runtime": {"budget_usd": 2.0, "budget_tokens": None},
}


def cai(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, StoreError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def table(output: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("  ") if cell] for line in output.splitlines()]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two of five prompts finished, one of them in vain; one waits; two were never read."""
    rows = [(full_row(ask("Q0")), "train"), (Row(ask("Q1"), PLAN, error="broke"), "held_out")]
    folder = fill(
        tmp_path / "run",
        rows,
        waiting=[ask("Q2")],
        config=CONFIG,
        prompts={"path": "p.jsonl", "rows": 6, "unique": 5},
    )

    async def work(store: RunStore) -> None:
        await store.remember("1", "m", request(), answered("x"), 0.5)
        await store.remember("2", "m", request(stage="judge"), answered("x"))
        await store.lost("3", "m", request(), Usage(100, 20), 0.25, "timeout")
        await store.put_batch("batch-7", "openai/m", ["9"], "in_progress")
        await Ledger(store, "openai/m").intend("file-1", ["8"])

    with RunStore.open(folder) as store:
        asyncio.run(work(store))
    return folder


def age(folder: Path, seconds: float) -> None:
    """Let everything that was stored have happened so much earlier."""
    connection = sqlite3.connect(folder / "run.db")
    connection.execute("UPDATE calls SET created = created - ?", (seconds,))
    connection.execute("UPDATE rows SET finished = finished - ?", (seconds,))
    connection.commit()
    connection.close()


def test_after_a_run(run: Path):
    output = cai("status", run)
    found = table(output)
    assert "No process is at work." in output
    assert "kind@1.0.0" in output
    assert ["train", "1", "0", "1"] in found
    assert ["held_out", "0", "1", "0"] in found
    assert ["all", "1", "1", "1"] in found
    assert ["sample", "1", "10", "2", "5", "$0.5000"] in found
    assert ["judge", "1", "10", "2", "5", "unknown price"] in found
    assert ["Rows", "2 of 5 (40.0%)"] in found
    assert ["Worked", "12 s"] in found
    assert ["Dollars", "$0.7500 of $2.0 (37.5%)"] in found
    assert ["Calls without a known price", "1"] in found
    lost = ["Sent and never answered", "1 attempts, possibly billed: at most $0.2500"]
    assert lost in found
    assert ["Tokens", "150"] in found
    assert ["Batch batch-7", "in_progress, openai/m"] in found
    assert ["Batch file-1", "about to be created, openai/m"] in found
    assert "Per minute" not in output
    assert "Time left" not in output


def test_during_a_run(run: Path):
    with RunStore.open(run):
        output = cai("status", run)
        assert "A process is at work." in output
        assert "Per minute, over the last" in output
        # Looking does not get in the way of the process that works.
        assert locked_since(run) is not None
    assert locked_since(run) is None


def test_the_pace_is_that_of_the_last_minute(run: Path):
    age(run, 100.0)
    with RunStore.open(run) as store:
        store.set_meta(seconds=40.0)
        asyncio.run(store.remember("4", "m", request("Q"), answered("y"), 0.0))
        asyncio.run(store.put_row(full_row(ask("Q2"))))
        started = locked_since(run)
        early = run_status(store, now=started + 30.0)
        late = run_status(store, now=started + 59.0)
        after = run_status(store, now=started + 400.0)
    # One row and one call of 5 tokens in 30 seconds; two prompts of five are left.
    assert (early.pace.rows, early.pace.calls, early.pace.tokens) == (2.0, 2.0, 10.0)
    assert early.seconds_left == pytest.approx(60.0)
    assert early.seconds_at_work == pytest.approx(70.0)
    assert late.pace.rows == pytest.approx(60 / 59)
    assert (after.pace.rows, after.pace.seconds, after.seconds_left) == (0.0, 60.0, None)


def test_as_json(run: Path):
    found = json.loads(cai("status", run, "--json"))
    assert found["rows"] == {"held_out": {"failed": 1}, "train": {"done": 1, "waiting": 1}}
    assert (found["at_work"], found["pace"], found["seconds_left"]) == (False, None, None)
    assert (found["total"], found["budget_usd"], found["budget_tokens"]) == (5, 2.0, None)
    assert found["spent"] == {
        "usd": 0.75,
        "tokens": 150,
        "unpriced_calls": 1,
        "lost_calls": 1,
        "lost_usd": 0.25,
    }
    assert [stage["stage"] for stage in found["stages"]] == ["sample", "judge"]
    assert [batch["batch_id"] for batch in found["batches"]] == ["batch-7", "file-1"]
    assert "request_ids" not in found["batches"][0]


def test_a_limit_bounds_the_rows_to_come(run: Path):
    with RunStore.open(run) as store:
        store.set_meta(config={**CONFIG, "prompts": {"limit": 3}})
        assert run_status(store).total == 3


def test_a_shard_is_named_and_its_number_of_rows_is_not_guessed(run: Path):
    with RunStore.open(run) as store:
        store.set_meta(shard="2/8")
    output = cai("status", run)
    assert ", shard 2/8" in output
    assert ["Rows", "2"] in table(output)


def test_a_run_that_has_not_begun(tmp_path: Path):
    RunStore.open(tmp_path).close()
    output = cai("status", tmp_path)
    assert ["all", "0", "0", "0"] in table(output)
    (tmp_path / "run.lock").unlink()
    assert locked_since(tmp_path) is None


def test_no_run(tmp_path: Path):
    with pytest.raises(StoreError, match="No run in"):
        cai("status", tmp_path)


def test_whoever_looks_for_a_moment_does_not_keep_a_writer_out(tmp_path: Path, monkeypatch):
    import fcntl

    RunStore.open(tmp_path).close()
    with (tmp_path / "run.lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        naps: list[float] = []

        def nap(seconds: float) -> None:
            naps.append(seconds)
            fcntl.flock(looking, fcntl.LOCK_UN)

        monkeypatch.setattr("cai.store.connect.time.sleep", nap)
        before = time.time() - 0.01
        lock_run(tmp_path).close()
    assert len(naps) == 1
    assert (tmp_path / "run.lock").stat().st_mtime >= before
