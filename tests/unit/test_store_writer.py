"""The writer: group commits, pieces that fail alone, and a disk that is full."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from cai.errors import StoreError
from cai.store.connect import connect_writer
from cai.store.writer import Writer


def put(value: int):
    return lambda c: c.execute("INSERT INTO t VALUES (?)", (value,)).rowcount


class Counting(sqlite3.Connection):
    """Counts commits."""

    commits = 0

    def execute(self, sql, *parameters):
        self.commits += sql == "COMMIT"
        return super().execute(sql, *parameters)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (value INTEGER PRIMARY KEY)")
    connection.close()
    return path


def connect(path: Path) -> Counting:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Counting)


def values(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    found = [value for (value,) in connection.execute("SELECT value FROM t ORDER BY value")]
    connection.close()
    return found


def held(writer: Writer):
    """Occupy the writer until the returned event is set."""
    entered, go = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        entered.set()
        assert go.wait(10)

    writer.submit(wait)
    assert entered.wait(10)
    return go


def test_an_answer_comes_after_the_commit(path: Path):
    writer = Writer(connect(path), path)
    assert writer.submit(put(1)).result(10) == 1
    assert values(path) == [1]  # seen by another connection, so committed
    writer.close()


def test_what_waits_shares_one_commit(path: Path):
    connection = connect(path)
    writer = Writer(connection, path)
    go = held(writer)
    futures = [writer.submit(put(i)) for i in range(100)]
    go.set()
    for future in futures:
        future.result(10)
    assert connection.commits == 2  # the one that was held, and one for all the others
    writer.close()
    assert values(path) == list(range(100))


def test_a_burst_has_a_limit(path: Path):
    connection = connect(path)
    writer = Writer(connection, path)
    go = held(writer)
    futures = [writer.submit(put(i)) for i in range(1030)]
    go.set()
    assert futures[-1].result(10) == 1
    assert connection.commits == 3
    writer.close()


def test_a_piece_that_fails_is_undone_alone(path: Path):
    writer = Writer(connect(path), path)

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (10)")
        raise ValueError("after the first half")

    go = held(writer)
    before, failing, clash, after = map(writer.submit, (put(1), half, put(1), put(2)))
    go.set()
    assert (before.result(10), after.result(10)) == (1, 1)
    with pytest.raises(ValueError, match="after the first half"):
        failing.result(10)
    with pytest.raises(sqlite3.IntegrityError):
        clash.result(10)
    writer.close()
    assert values(path) == [1, 2]


INTO = "INSERT INTO t VALUES"


async def test_lines_of_a_burst_share_statements_and_one_wake_up(path: Path, monkeypatch):
    connection = connect(path)
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    writer = Writer(connection, path)
    loop = asyncio.get_running_loop()
    woken: list[object] = []
    wake = loop.call_soon_threadsafe

    def counted(*call: object) -> object:
        woken.append(call)
        return wake(*call)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    go = held(writer)
    futures = [writer.insert(INTO, (i,)) for i in range(64 + 16 + 3)]
    go.set()
    await asyncio.wait_for(asyncio.gather(*futures), 10)
    assert len(woken) == 1
    assert [s.count("(") for s in statements if s.startswith(INTO)] == [64, 19]
    writer.close()
    assert values(path) == list(range(83))


async def test_what_a_turn_of_the_loop_queues_is_one_statement_and_no_more(path: Path):
    connection = connect(path)
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    writer = Writer(connection, path)
    for turn in range(3):
        futures = [writer.insert(INTO, (10 * turn + i,)) for i in range(5)]
        await asyncio.wait_for(asyncio.gather(*futures), 10)
    # No BEGIN and no COMMIT: each would cost a wait for Python's lock.
    assert [s.count("(") for s in statements] == [5, 5, 5]
    writer.close()


def test_lines_of_a_loop_that_ended_at_once_are_written(path: Path):
    writer = Writer(connect(path), path)

    async def leave() -> None:
        writer.insert(INTO, (1,))

    asyncio.run(leave())

    async def stay() -> None:
        await asyncio.wait_for(writer.insert(INTO, (2,)), 10)

    asyncio.run(stay())
    writer.close()
    assert values(path) == [1, 2]


async def test_a_line_that_fails_does_not_harm_its_neighbours(path: Path):
    writer = Writer(connect(path), path)
    go = held(writer)
    futures = [writer.insert(INTO, (value,)) for value in (1, 2, 1, 3, "\ud800", 4)]
    go.set()
    results = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 10)
    assert [type(result) for result in results] == [
        *(type(None), type(None), sqlite3.IntegrityError, type(None)),
        *(UnicodeEncodeError, type(None)),
    ]
    writer.close()
    assert values(path) == [1, 2, 3, 4]


async def test_lines_and_pieces_keep_their_order(path: Path):
    writer = Writer(connect(path), path)
    go = held(writer)
    first = writer.insert(INTO, (1,))
    seen = writer.submit(lambda c: c.execute("SELECT count(*) FROM t").fetchone()[0])
    second = writer.insert(INTO, (2,))
    go.set()
    await asyncio.wait_for(asyncio.gather(first, second), 10)
    assert seen.result(10) == 1
    writer.close()


async def test_a_line_that_nobody_waits_for_is_written(path: Path):
    writer = Writer(connect(path), path)
    go = held(writer)
    future = writer.insert(INTO, (1,))
    future.cancel()
    go.set()
    await asyncio.wait_for(writer.insert(INTO, (2,)), 10)
    writer.close()
    assert values(path) == [1, 2]


def test_an_event_loop_that_has_ended(path: Path):
    writer = Writer(connect(path), path)
    go = held(writer)

    async def leave() -> None:
        writer.insert(INTO, (1,))

    asyncio.run(leave())
    go.set()
    assert writer.submit(put(2)).result(10) == 1
    writer.close()
    assert values(path) == [1, 2]


@pytest.mark.parametrize(
    ("full_at", "tables"),
    [("INSERT", [INTO]), ("COMMIT", [INTO, "INSERT OR IGNORE INTO t VALUES"])],
    ids=["one statement", "a transaction"],
)
async def test_a_full_disk_fails_the_lines_of_the_burst(path: Path, full_at, tables):
    class Full(Counting):
        def execute(self, sql, *parameters):
            if sql.startswith(full_at):
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *parameters)

    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Full)
    writer = Writer(connection, path)
    for line in [writer.insert(into, (i,)) for i, into in enumerate(tables)]:
        with pytest.raises(StoreError, match="No space left"):
            await asyncio.wait_for(line, 10)
    writer.close()
    assert values(path) == []


def test_closing_finishes_what_is_queued(path: Path):
    writer = Writer(connect(path), path)
    go = held(writer)
    futures = [writer.submit(put(i)) for i in range(20)]
    closing = threading.Thread(target=writer.close)
    closing.start()
    go.set()
    closing.join(10)
    assert not closing.is_alive()
    assert all(future.done() for future in futures)
    assert values(path) == list(range(20))
    writer.close()
    with pytest.raises(StoreError, match=r"is closed\. Open it again"):
        writer.submit(put(99))


def test_a_cancelled_piece_is_not_carried_out(path: Path):
    writer = Writer(connect(path), path)
    go = held(writer)
    cancelled, kept = writer.submit(put(1)), writer.submit(put(2))
    assert cancelled.cancel()
    go.set()
    kept.result(10)
    writer.close()
    assert values(path) == [2]


def test_a_full_disk_fails_the_burst_and_harms_nothing(path: Path):
    connection = connect(path)
    connection.execute("CREATE TABLE blobs (data BLOB)")
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    writer = Writer(connection, path)
    writer.submit(put(1)).result(10)
    writer.submit(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone()).result(10)
    go = held(writer)
    small = writer.submit(put(2))
    huge = writer.submit(lambda c: c.execute("INSERT INTO blobs VALUES (zeroblob(1000000))"))
    go.set()
    for future in (small, huge):
        with pytest.raises(StoreError, match=r"No space left.*intact: free some space"):
            future.result(10)
    # Once there is room again, the same writer goes on.
    writer.submit(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone()).result(10)
    assert writer.submit(put(3)).result(10) == 1
    writer.close()
    assert values(path) == [1, 3]
    with sqlite3.connect(path) as check:
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()


def test_a_full_disk_at_the_commit(path: Path):
    class Full(Counting):
        full = False

        def execute(self, sql, *parameters):
            if self.full and sql == "COMMIT":
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *parameters)

    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Full)
    writer = Writer(connection, path)
    connection.full = True
    with pytest.raises(StoreError, match="No space left"):
        writer.submit(put(1)).result(10)
    connection.full = False
    writer.submit(put(2)).result(10)
    writer.close()
    assert values(path) == [2]


def test_a_burst_that_cannot_be_written_says_so(path: Path):
    connection = connect(path)
    connection.execute("PRAGMA busy_timeout = 0")
    writer = Writer(connection, path)
    other = connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"Cannot write to .*locked.*check the disk"):
        writer.submit(put(1)).result(10)
    other.execute("ROLLBACK")
    other.close()
    assert writer.submit(put(1)).result(10) == 1
    writer.close()


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 1)])
def test_a_durable_store_waits_for_the_disk(tmp_path: Path, durable: bool, synchronous: int):
    connection = connect_writer(tmp_path / "run.db", durable)
    assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    connection.close()
