"""Files of earlier versions: opened for writing they are migrated, for reading they are not."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from cai.errors import StoreError
from cai.hashing import canonical_json, content_hash
from cai.records import Usage
from cai.store import RunStore, Spent, StageTotals
from cai.store.bands import level_count
from cai.store.facts import ModelCalls
from cai.store.migrate import _STEPS, migrate
from cai.store.schema import SCHEMA_VERSION
from cai.validation import Annotator, Labels
from tests.unit.store_helpers import FACTS, FixedSplits, answered, ask, full_row, request

V1 = """
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE heads (
    hash     TEXT PRIMARY KEY,
    messages BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE calls (
    request_id        TEXT PRIMARY KEY,
    stage             TEXT NOT NULL,
    fingerprint       TEXT NOT NULL,
    head              TEXT NOT NULL REFERENCES heads (hash),
    request           BLOB NOT NULL,
    completion        BLOB NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    created           REAL NOT NULL
);
CREATE TABLE prompts (
    position  INTEGER PRIMARY KEY,
    prompt_id TEXT NOT NULL UNIQUE,
    epoch     INTEGER NOT NULL DEFAULT 0,
    start     INTEGER NOT NULL DEFAULT 0,
    group_id  TEXT NOT NULL REFERENCES groups (group_id),
    signature BLOB NOT NULL,
    record    BLOB NOT NULL
);
CREATE INDEX prompts_by_group ON prompts (group_id);
CREATE TABLE groups (
    group_id TEXT PRIMARY KEY,
    split    TEXT NOT NULL CHECK (split IN ('train', 'dev', 'held_out', 'quarantine'))
);
CREATE TABLE bands (
    key      INTEGER NOT NULL,
    founder  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (key, founder, position)
) WITHOUT ROWID;
CREATE TABLE rows (
    prompt_id TEXT PRIMARY KEY REFERENCES prompts (prompt_id),
    plan      TEXT NOT NULL,
    status    TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    record    BLOB NOT NULL
);
"""

A_ROW = full_row(ask("Q0"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A run of version 1 with one call, one finished row and one prompt that waits."""
    connection = sqlite3.connect(tmp_path / "run.db")
    connection.executescript(V1)
    put = connection.execute
    for key, value in FACTS.items():
        put("INSERT INTO meta VALUES (?, ?)", (key, canonical_json(value)))
    asked, head = request(stage="judge"), request().messages[:1]
    put("INSERT INTO heads VALUES (?, ?)", (content_hash(head), canonical_json(head)))
    body = {
        "messages": asked.messages[1:],
        "sampling": asked.sampling,
        "sample_index": 0,
        "response_schema": None,
        "shared": 1,
        "stage": "judge",
    }
    put(
        "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *("id-1", "judge", "m", content_hash(head), canonical_json(body)),
            *(canonical_json(answered("A")), 10, 5, 2, 1000.0),
        ),
    )
    for position, prompt in enumerate((ask("Q0"), ask("Q1"))):
        put("INSERT INTO groups VALUES (?, 'train')", (prompt.id,))
        put(
            "INSERT INTO prompts VALUES (?, ?, 0, 1, ?, ?, ?)",
            (position, prompt.id, prompt.id, b"s", canonical_json(prompt)),
        )
    put("INSERT INTO bands VALUES (7, 0, 0)")
    put(
        "INSERT INTO rows VALUES (?, ?, 'done', ?)",
        (ask("Q0").id, A_ROW.plan, canonical_json(A_ROW)),
    )
    put("PRAGMA journal_mode = WAL")
    put("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    return tmp_path


def version(folder: Path) -> int:
    connection = sqlite3.connect(folder / "run.db")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return found


def columns(folder: Path) -> dict[str, list[tuple]]:
    """What SQLite says about every table and index, whatever words made them."""
    connection = sqlite3.connect(folder / "run.db")
    names = connection.execute("SELECT type, name FROM sqlite_schema ORDER BY name").fetchall()
    found = {
        name: connection.execute(f"PRAGMA {kind}_{'x' * (kind == 'index')}info ({name})").fetchall()
        for kind, name in names
    }
    connection.close()
    return found


def holds_what_it_held(store: RunStore) -> None:
    assert store.completion("id-1") == answered("A")
    assert store.call("id-1").request == request(stage="judge")
    assert list(store.rows("train")) == [(A_ROW, "train")]
    assert store.row(ask("Q0").id) == (A_ROW, "train")
    assert store.row_counts() == {("train", "done"): 1, ("train", "waiting"): 1}
    assert store.totals() == [StageTotals("judge", 1, 10, 5, 2, 0.0, unpriced=1)]
    assert store.models() == [ModelCalls("judge", "m", "llama-2026", 1, 10, 5, 2, 0.0, unpriced=1)]
    assert store.spent() == Spent(0.0, 15, unpriced_calls=1, lost_calls=0, lost_usd=0.0)
    assert store.open_batches() == []
    store.check()


def test_an_old_file_is_migrated_when_it_is_opened_for_writing(old: Path, tmp_path: Path):
    with RunStore.open(old) as store:
        holds_what_it_held(store)
    assert version(old) == SCHEMA_VERSION
    RunStore.open(tmp_path / "new").close()
    assert columns(old) == columns(tmp_path / "new")
    with RunStore.read(old) as store:
        holds_what_it_held(store)


@pytest.mark.parametrize(("position", "level"), [(1, 0), (510, 0), (511, 1), (5_000, 2)])
def test_bands_go_to_the_highest_level(old: Path, position: int, level: int):
    connection = sqlite3.connect(old / "run.db")
    connection.execute("UPDATE prompts SET position = ? WHERE position = 1", (position,))
    connection.commit()
    connection.close()
    RunStore.open(old).close()
    connection = sqlite3.connect(old / "run.db")
    assert connection.execute("SELECT * FROM bands").fetchall() == [(level, 7, 0, 0)]
    connection.close()
    assert level_count(position + 1) == level + 1


def test_a_migrated_file_takes_what_is_new(old: Path):
    async def work(store: RunStore) -> None:
        await store.remember("id-2", "m", request("Q"), answered("x"), 0.25)
        await store.lost("id-3", "m", request("Q"), Usage(3, 4), 0.5, "timeout")
        await store.put_batch("b", "m", ["id-4"], "in_progress")
        await store.admit([ask("Q2")], FixedSplits({}), 0, 2)  # type: ignore[arg-type]
        await store.put_row(replace(full_row(ask("Q2"))))

    with RunStore.open(old) as store:
        asyncio.run(work(store))
        assert store.spent() == Spent(0.75, 37, unpriced_calls=1, lost_calls=1, lost_usd=0.5)
        assert [batch.batch_id for batch in store.open_batches("m")] == ["b"]
        assert store.row_counts()["train", "done"] == 2


def test_an_old_file_is_read_as_it_is(old: Path):
    before = (old / "run.db").read_bytes()
    with RunStore.read(old) as store:
        holds_what_it_held(store)
    assert version(old) == 1
    assert (old / "run.db").read_bytes() == before


def test_a_reader_lives_through_a_migration(old: Path):
    with RunStore.read(old) as reader:
        holds_what_it_held(reader)
        RunStore.open(old).close()
        holds_what_it_held(reader)


def test_a_migration_that_fails_changes_nothing(old: Path):
    connection = sqlite3.connect(old / "run.db")
    # In the way of a later step of the migration.
    connection.execute("CREATE TABLE batches (x)")
    connection.close()
    before = columns(old)
    with pytest.raises(StoreError, match="already exists"):
        RunStore.open(old)
    assert version(old) == 1
    assert columns(old) == before


@pytest.fixture
def version_2(old: Path) -> Path:
    """The same run as version 2 left it."""
    connection = sqlite3.connect(old / "run.db", isolation_level=None)
    connection.executescript(f"BEGIN;{_STEPS[1]}PRAGMA user_version = 2;COMMIT;")
    connection.close()
    return old


def test_a_file_of_version_2_is_migrated_and_takes_labels(version_2: Path, tmp_path: Path):
    with RunStore.open(version_2) as store:
        holds_what_it_held(store)
        Labels(store).add_annotator("Ann", "human")
        assert Labels(store).annotators() == (Annotator("Ann", "human"),)
    RunStore.open(tmp_path / "new").close()
    assert columns(version_2) == columns(tmp_path / "new")


@pytest.mark.parametrize("which", ["old", "version_2"])
def test_an_earlier_file_is_read_as_one_without_labels(which: str, request: pytest.FixtureRequest):
    with RunStore.read(request.getfixturevalue(which)) as store:
        labels = Labels(store)
        assert (labels.plan(), labels.items(), labels.annotators()) == (None, (), ())
        assert (labels.current(), labels.retired()) == ({}, frozenset())
        assert list(store.rows("train", retired=False)) == [(A_ROW, "train")]


def test_a_current_file_needs_no_steps(tmp_path: Path):
    RunStore.open(tmp_path).close()
    before = columns(tmp_path)
    connection = sqlite3.connect(tmp_path / "run.db", isolation_level=None)
    migrate(connection, SCHEMA_VERSION)
    connection.close()
    assert (version(tmp_path), columns(tmp_path)) == (SCHEMA_VERSION, before)
