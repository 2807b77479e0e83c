"""The run store: memo, rows, splits, and what happens when the file is not as it should be."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cai.errors import SplitError, StoreError
from cai.records import (
    Completion,
    Message,
    Prompt,
    Request,
    Row,
    Sampling,
    TokenAlternative,
    Usage,
    load,
)
from cai.store import RunStore, Spent, StageTotals, rows_for
from cai.store.facts import ListedRow, ModelCalls
from cai.store.groups import GroupIndex
from cai.store.schema import SCHEMA_VERSION
from tests.unit.store_helpers import PLAN, FixedSplits, answered, ask, fill, full_row, request

SPLITS = ("train", "dev", "held_out", "quarantine")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = [(full_row(ask(f"Q{i}")), split) for i, split in enumerate(SPLITS)]
    rows.append((Row(ask("Q4"), PLAN, error="broke"), "train"))
    return fill(tmp_path / "run", rows, waiting=[ask("Q5")])


def sql(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "run.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


async def test_an_answer_is_remembered_whole(tmp_path: Path):
    asked = Request(
        messages=tuple(Message("user", f"{i} \x00 \u2028 é") for i in range(3)),
        sampling=Sampling(7, 0.5, 0.9, 11, ("stop",), 5),
        sample_index=2,
        response_schema={"type": "object"},
        shared=2,
        stage="judge",
    )
    told = Completion(
        "\x1b text", "truncated", Usage(3, 2, 1), (TokenAlternative(" A", -0.25),), "m-1"
    )
    with RunStore.open(tmp_path) as store:
        assert store.completion("id") is None
        assert store.call("id") is None
        await store.remember("id", "engine/m", asked, told)
        assert store.completion("id") == told
    with RunStore.read(tmp_path) as store:
        call = store.call("id")
        assert (call.request_id, call.fingerprint) == ("id", "engine/m")
        assert call.request == asked
        assert call.completion == told
        assert call.request.identity("engine/m") == asked.identity("engine/m")
        assert list(store.request_ids()) == ["id"]


async def test_what_was_never_answered_is_not_looked_up(tmp_path: Path, monkeypatch):
    with RunStore.open(tmp_path) as store:
        await store.remember("before", "m", request(), answered("x"))
    with RunStore.open(tmp_path) as store:
        looked_up: list[str] = []
        first = store._reader.first
        monkeypatch.setattr(
            store._reader, "first", lambda q, *v: (looked_up.extend(v), first(q, *v))[1]
        )
        assert store.completion("before") == answered("x")
        assert store.completion("new") is None
        await store.remember("new", "m", request("Q"), answered("y"))
        assert store.completion("new") == answered("y")
        assert looked_up == ["before", "new"]


async def test_the_first_answer_stays(tmp_path: Path):
    with RunStore.open(tmp_path) as store:
        await store.remember("id", "m", request(), answered("first"))
        await store.remember("id", "m", request(), answered("second"))
        assert store.completion("id").text == "first"
        assert [total.calls for total in store.totals()] == [1]


async def test_shared_messages_are_kept_once(tmp_path: Path):
    with RunStore.open(tmp_path) as store:
        for i in range(3):
            await store.remember(f"a{i}", "m", request(f"Q{i}"), answered("x"))
    with RunStore.open(tmp_path) as store:  # a new start knows no heads and must not clash
        await store.remember("b", "m", request("Q"), answered("x"))
        assert store.call("b").request == request("Q")
    connection = sqlite3.connect(tmp_path / "run.db")
    assert connection.execute("SELECT count(*) FROM heads").fetchone() == (1,)
    connection.close()


async def test_more_heads_than_are_kept_in_memory(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("cai.store.run._HEADS", 2)
    with RunStore.open(tmp_path) as store:
        for i in range(5):
            asked = replace(
                request(), messages=(Message("system", f"{i % 3}"), Message("user", "Q"))
            )
            await store.remember(f"{i}", "m", asked, answered("x"))
            assert store.call(f"{i}").request == asked
        assert len(store._heads) <= 2


@pytest.mark.parametrize("together", [True, False], ids=["in one commit", "in two"])
async def test_a_head_that_could_not_be_stored_is_stored_with_the_next_call(
    tmp_path: Path, together: bool
):
    asked = replace(request(), messages=(Message("system", "x" * 100_000), Message("user", "Q")))
    with RunStore.open(tmp_path) as store:
        store._write(lambda c: c.execute("PRAGMA max_page_count = 2").fetchone())
        if together:
            go = threading.Event()
            store._writing().submit(lambda c: go.wait(10))
            asyncio.get_running_loop().call_later(0.01, go.set)
        else:
            _, stored = store._store_head(asked.messages[: asked.shared])
            assert isinstance(stored.exception(10), StoreError)
        with pytest.raises(StoreError, match="No space left"):
            await store.remember("1", "m", asked, answered("x"))
        store._write(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone())
        await store.remember("2", "m", asked, answered("x"))
        assert store.call("2").request == asked
        assert store.completion("1") is None


async def test_totals_and_models(tmp_path: Path):
    with RunStore.open(tmp_path) as store:
        await store.remember("1", "m", request(), answered("x", "m-1"), 0.5)
        await store.remember("2", "m", request(stage="judge"), answered("x", "m-2"), 0.0)
        await store.remember("3", "m", request("other"), answered("x", "m-1"))
        assert store.totals() == [
            StageTotals("sample", 2, 20, 10, 4, cost_usd=0.5, unpriced=1),
            StageTotals("judge", 1, 10, 5, 2, cost_usd=0.0, unpriced=0),
        ]
        assert store.models() == [
            ModelCalls("sample", "m", "m-1", 2, 20, 10, 4, 0.5, unpriced=1),
            ModelCalls("judge", "m", "m-2", 1, 10, 5, 2, 0.0, unpriced=0),
        ]


async def test_what_was_spent(tmp_path: Path):
    with RunStore.open(tmp_path) as store:
        assert store.spent() == Spent(0.0, 0, 0, 0, 0.0)
        await store.remember("1", "m", request(), answered("x"), 0.5)
        await store.remember("2", "m", request(), answered("x"))
        # A second answer to the same request is not kept, and neither is its price.
        await store.remember("1", "m", request(), answered("x"), 9.0)
        await store.lost("3", "m", request(), Usage(100, 20), 0.25, "timeout")
        await store.lost("3", "m", request(), Usage(100, 20), 0.25, "lost")
        await store.lost("4", "m", request(), Usage(1, 1), None, "timeout")
        assert store.spent() == Spent(1.0, 30 + 240 + 2, 2, 3, 0.5)
    with RunStore.read(tmp_path) as store:
        assert store.spent().usd == 1.0


async def test_batches_are_open_until_they_end(tmp_path: Path):
    with RunStore.open(tmp_path) as store:
        await store.put_batch("b1", "m", ["1", "2"], "validating")
        await store.put_batch("b2", "n", ["3"], "validating")
        await store.put_batch("b1", "m", ["1", "2"], "in_progress")
        assert [(b.batch_id, b.status, b.request_ids) for b in store.open_batches()] == [
            *(("b1", "in_progress", ("1", "2")), ("b2", "validating", ("3",)))
        ]
        (mine,) = store.open_batches("m")
        assert (mine.batch_id, mine.fingerprint) == ("b1", "m")
        assert abs(mine.created - time.time()) < 60
        await store.end_batch("b1", "completed")
        assert store.open_batches("m") == []
        assert [b.batch_id for b in store.open_batches()] == ["b2"]


def test_facts(tmp_path: Path):
    with RunStore.open(tmp_path) as store:
        assert store.meta("epoch") is None
        store.set_meta(epoch=0, asked={"b": [1, None]}, plan="x")
        store.set_meta(plan="y")
        assert store.meta("epoch") == 0
        assert store.meta("asked") == {"b": [1, None]}
        assert store.meta("plan") == "y"


def test_rows_come_in_the_order_of_the_prompts(tmp_path: Path):
    rows = [(full_row(ask(f"Q{i}")), "train") for i in (3, 1, 2)]
    with RunStore.read(fill(tmp_path, rows)) as store:
        assert list(store.rows("train")) == rows


def test_rows_of_another_plan_epoch_or_status_are_left_out(run: Path):
    with RunStore.read(run) as store:
        assert [row.prompt for row, _ in store.rows("train")] == [ask("Q0")]
        assert [row.error for row, _ in store.rows("train", failed=True)] == ["broke"]
        assert list(store.rows()) == []
    with RunStore.open(run) as store:
        store.set_meta(epoch=1)
        assert list(store.rows(*SPLITS)) == []
        assert store.row_counts() == {}
        store.set_meta(epoch=0, plan="another")
        assert list(store.rows(*SPLITS)) == []
        assert store.row_counts()["train", "waiting"] == 3


def test_counts_and_listing(run: Path):
    with RunStore.read(run) as store:
        assert store.row_counts() == {
            **{(split, "done"): 1 for split in SPLITS},
            ("train", "failed"): 1,
            ("train", "waiting"): 1,
        }
        listed = list(store.listing())
        assert [row.number for row in listed] == [1, 2, 3, 4, 5, 6]
        assert listed[2] == ListedRow(3, ask("Q2").id, "held_out", "done")
        assert [row.number for row in store.listing("failed", "waiting")] == [5, 6]


def test_a_row_by_the_beginning_of_its_id(run: Path):
    with RunStore.read(run) as store:
        assert store.row(ask("Q2").id[:8]) == (full_row(ask("Q2")), "held_out")
        assert store.row("%") is None
        assert store.row("_") is None
        with pytest.raises(StoreError, match="Several rows begin with ''"):
            store.row("")


async def test_a_later_attempt_takes_the_place_of_an_earlier_one(run: Path):
    with RunStore.open(run) as store:
        await store.put_row(full_row(ask("Q4")))
        assert store.row(ask("Q4").id) == (full_row(ask("Q4")), "train")
        assert ("train", "failed") not in store.row_counts()


async def test_of_a_repeated_prompt_the_first_place_counts(tmp_path: Path):
    a, b = (Prompt((Message("user", text),)) for text in "AB")
    lines = [replace(p, source=f"line {i}") for i, p in enumerate((b, a, b, a), 1)]
    with RunStore.open(tmp_path) as store:
        store.set_meta(plan=PLAN, epoch=0)
        groups = GroupIndex(0.7, 0.1, 0.1, 0)
        assert [x.repeated for x in await store.admit(lines, groups, 0, 1)] == [0, 0, 1, 1]
        assert [(row.number, row.prompt_id) for row in store.listing()] == [(1, b.id), (2, a.id)]
    connection = sqlite3.connect(tmp_path / "run.db")
    stored = connection.execute("SELECT record FROM prompts ORDER BY position").fetchall()
    connection.close()
    assert [load(Prompt, record).source for (record,) in stored] == ["line 1", "line 2"]


async def test_admission(tmp_path: Path):
    a, b = ask("A"), ask("B")
    groups = FixedSplits({a.id: "dev"})
    with RunStore.open(tmp_path) as store:
        store.set_meta(plan=PLAN, epoch=0)
        first = await store.admit([a, b, a], groups, 0, 1)
        assert [(x.split, x.plan, x.repeated) for x in first] == [
            *(("dev", None, False), ("train", None, False), ("dev", None, True))
        ]
        await store.put_row(full_row(a))
        # A later start: known prompts keep their place and split, even if groups said otherwise.
        again = await store.admit([b, a], FixedSplits({b.id: "held_out"}), 1, 2)
        assert [(x.split, x.plan, x.status, x.repeated) for x in again] == [
            *(("train", None, None, False), ("dev", PLAN, "done", False))
        ]
        store.set_meta(epoch=1)
        assert [(row.number, row.prompt_id) for row in store.listing()] == [(1, a.id), (2, b.id)]


def test_a_row_needs_an_admitted_prompt(tmp_path: Path):
    with RunStore.open(tmp_path) as store:
        with pytest.raises(sqlite3.IntegrityError):
            asyncio.run(store.put_row(full_row(ask("never admitted"))))
        store.set_meta(plan="the store still works")


@pytest.mark.parametrize(
    ("purpose", "splits"),
    [
        *(("training", {"train"}), ("calibration", {"dev"}), ("validation", {"held_out"})),
        ("report", set(SPLITS)),
    ],
)
def test_each_purpose_has_its_splits(run: Path, purpose, splits):
    with RunStore.read(run) as store:
        assert {split for _, split in rows_for(store, purpose)} == splits
        for split in SPLITS:
            if split in splits:
                assert [found for _, found in rows_for(store, purpose, split)] == [split]
            else:
                # At once, not only when the rows are taken.
                with pytest.raises(SplitError, match=f"split '{split}' are closed to {purpose}"):
                    rows_for(store, purpose, split)


def test_an_unknown_purpose(run: Path):
    with (
        RunStore.read(run) as store,
        pytest.raises(SplitError, match=r"'tuning'\. Allowed: training, calibration"),
    ):
        rows_for(store, "tuning")


async def test_reading_while_writing(run: Path):
    with RunStore.open(run) as writer, RunStore.read(run) as reader:
        rows = reader.rows(*SPLITS)
        assert next(rows)[0].prompt == ask("Q0")
        await writer.put_row(full_row(ask("Q5")))
        assert writer.row(ask("Q5").id) is not None
        # A walk that has begun goes on, and the reader keeps to its state until the end.
        assert reader.row(ask("Q5").id) is None
        assert len(list(rows)) == 3
        assert reader.row(ask("Q5").id) is not None


def test_a_walk_may_outlive_its_store(run: Path):
    with RunStore.read(run) as store:
        rows = store.rows(*SPLITS)
        next(rows)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        next(rows)
    with RunStore.read(run) as store:
        rows = store.rows(*SPLITS)
        next(rows)
    rows.close()


async def test_a_snapshot_does_not_change(run: Path):
    with RunStore.open(run) as writer, RunStore.read(run) as reader:
        with reader.snapshot():
            before = reader.row_counts()
            await writer.put_row(full_row(ask("Q5")))
            assert reader.row_counts() == before
        assert reader.row_counts()["train", "done"] == before["train", "done"] + 1
        with pytest.raises(KeyError), reader.snapshot():
            raise KeyError
        reader.meta("plan")


def test_a_second_writer_is_kept_out(tmp_path: Path):
    with (
        RunStore.open(tmp_path),
        pytest.raises(StoreError, match=r"Another process is writing.*or stop it"),
    ):
        RunStore.open(tmp_path)
    with RunStore.open(tmp_path) as store:
        store.set_meta(plan="free again")


def test_a_second_process_is_kept_out(tmp_path: Path):
    code = (
        "import sys, pathlib; from cai.store import RunStore\n"
        "RunStore.open(pathlib.Path(sys.argv[1]))"
    )
    with RunStore.open(tmp_path):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert "Another process is writing" in done.stderr


def test_a_reader_cannot_write(run: Path):
    with RunStore.read(run) as store, pytest.raises(StoreError, match="opened for reading"):
        store.set_meta(plan="x")


def test_a_run_that_is_not_there(tmp_path: Path):
    fill(tmp_path / "first", [])
    with pytest.raises(StoreError, match=r"No run in .*second\. Runs beside it: first\. Name the"):
        RunStore.read(tmp_path / "second")


def test_a_run_that_is_not_merged_yet(tmp_path: Path):
    fill(tmp_path / "run" / "shards" / "1-of-2", [])
    with pytest.raises(StoreError, match=r"has shards.*such as .*run/shards/1-of-2\. Name"):
        RunStore.read(tmp_path / "run")


def test_a_newer_version_is_refused(run: Path):
    sql(run, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    for start in (RunStore.open, RunStore.read):
        with pytest.raises(StoreError, match=rf"version {SCHEMA_VERSION + 1}.*Upgrade"):
            start(run)
    # The failed attempts let go of the lock.
    sql(run, f"PRAGMA user_version = {SCHEMA_VERSION}")
    RunStore.open(run).close()


def test_a_file_that_is_no_run_store(tmp_path: Path):
    (tmp_path / "run.db").write_bytes(b"this is not a database" * 100)
    for start in (RunStore.open, RunStore.read):
        with pytest.raises(StoreError, match=r"run\.db.*run store.*another folder"):
            start(tmp_path)


def test_an_empty_file_is_no_run_to_read(tmp_path: Path):
    (tmp_path / "run.db").touch()
    with pytest.raises(StoreError, match="is not a run store"):
        RunStore.read(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path):
    rows = [(full_row(ask(f"Q{i}")), "train") for i in range(50)]
    run = fill(tmp_path / "run", rows)
    with RunStore.read(run) as store:
        store.check()
    data = bytearray((run / "run.db").read_bytes())
    data[8192:-4096] = os.urandom(len(data) - 8192 - 4096)
    (run / "run.db").write_bytes(data)
    with RunStore.read(run) as store:
        with pytest.raises(StoreError, match=r"run\.db is damaged\. Restore it"):
            store.check()
        with pytest.raises(StoreError, match=r"run\.db is damaged\. Restore it"):
            list(store.rows("train"))


def test_tables_that_are_missing_are_said(run: Path):
    sql(run, "DROP TABLE bands")
    sql(run, "DROP TABLE rows")
    with RunStore.read(run) as store, pytest.raises(StoreError, match=r"cannot be read: no such"):
        list(store.rows("train"))


def test_a_broken_index_is_found_by_the_check(run: Path):
    connection = sqlite3.connect(run / "run.db")
    connection.execute("PRAGMA writable_schema = ON")
    # The index claims another column than the one it was built on.
    connection.execute(
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX prompts_by_group ON prompts (start)' "
        "WHERE name = 'prompts_by_group'"
    )
    connection.commit()
    connection.close()
    with RunStore.read(run) as store, pytest.raises(StoreError, match=r"damaged.*prompts_by_group"):
        store.check()


def test_a_closed_run_is_one_file(run: Path, tmp_path: Path):
    assert sorted(p.name for p in run.iterdir()) == ["run.db", "run.lock"]
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "run.db").write_bytes((run / "run.db").read_bytes())
    with RunStore.read(copy) as store:
        assert len(list(store.rows(*SPLITS))) == 4


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"Cannot write to the run folder .*--run"):
        RunStore.open(tmp_path / "file" / "run")


async def test_a_full_disk_leaves_the_store_intact(tmp_path: Path):
    with RunStore.open(tmp_path) as store:
        await store.remember("1", "m", request(), answered("x"))
        await store._write_async(
            lambda c: c.execute(
                f"PRAGMA max_page_count = {c.execute('PRAGMA page_count').fetchone()[0] + 1}"
            ).fetchone()
        )
        with pytest.raises(StoreError, match=r"No space left.*start the same command again"):
            await store.remember("2", "m", request("Q"), answered("x" * 100_000))
        assert store.completion("1") == answered("x")
        assert store.completion("2") is None
        store.check()
    with RunStore.open(tmp_path) as store:  # room again
        await store.remember("2", "m", request("Q"), answered("x" * 100_000))
        assert store.call("2").request == request("Q")
        store.check()


async def test_a_head_that_was_not_stored_is_stored_later(tmp_path: Path):
    with RunStore.open(tmp_path) as store:
        writer = store._writer
        insert = writer.insert

        def failing(into, values):
            raise StoreError("full")

        writer.insert = failing
        with pytest.raises(StoreError, match="full"):
            await store.remember("1", "m", request(), answered("x"))
        writer.insert = insert
        await store.remember("1", "m", request(), answered("x"))
        assert store.call("1").request == request()


def test_many_at_once(tmp_path: Path):
    async def work(store: RunStore) -> None:
        await asyncio.gather(
            *(store.remember(f"{i}", "m", request(f"Q{i}"), answered(f"A{i}")) for i in range(300))
        )

    with RunStore.open(tmp_path) as store:
        asyncio.run(work(store))
        assert {store.completion(f"{i}").text for i in range(300)} == {f"A{i}" for i in range(300)}


@given(
    text=st.text(st.characters(codec="utf-8")),
    tags=st.lists(st.text(st.characters(codec="utf-8")), max_size=3),
)
def test_any_text_comes_back_unchanged(tmp_path_factory, text, tags):
    prompt = Prompt((Message("user", text),), tuple(tags), text)
    row = replace(full_row(prompt, text), error=text)
    with RunStore.read(fill(tmp_path_factory.mktemp("run"), [(row, "train")])) as store:
        assert store.row(prompt.id) == (row, "train")


def test_a_folder_may_be_named_by_a_text(tmp_path: Path):
    with RunStore.open(str(tmp_path / "run")) as store:
        assert store.folder == tmp_path / "run"
    with RunStore.read(str(tmp_path / "run")) as store:
        assert store.folder == tmp_path / "run"
