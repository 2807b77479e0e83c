"""The one writer of a run store: group commits, and no answer before the data is on disk."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from cai.errors import StoreError
from cai.store.lines import insert_statement, slices

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Writer"]

_Result = TypeVar("_Result")
_Work = Callable[[sqlite3.Connection], Any]
_Piece = tuple[_Work, "Future[Any]"]
_Line = tuple[str, tuple[Any, ...], "asyncio.Future[None]"]
_Item = _Piece | _Line
_Outcome = tuple[_Item, Any, BaseException | None]

_BURST = 1024
"""Most items in one transaction."""


class Writer:
    """Runs pieces of work on one connection, many to a transaction.

    While a transaction is being committed, new work piles up and shares the next commit, so the
    cost of a durable write is spread over all that wait for it. A piece that raises is undone
    alone (savepoint) and does not disturb its neighbours.

    Lines for tables (`insert`) are the hot path. The writer is woken once for all that an event
    loop queues in one of its turns; they share a statement (see `cai.store.lines`), and the loop is
    woken once when they are on disk.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Take over `connection`, opened with `check_same_thread=False`."""
        self._connection = connection
        self._path = path
        self._waiting: deque[_Item] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._about_to_ring: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="cai-store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], _Result]) -> Future[_Result]:
        """Queue `work(connection)`; the future is resolved after the commit that contains it."""
        future: Future[_Result] = Future()
        self._put((work, future))
        self._bell.put(None)
        return future

    def insert(self, into: str, values: tuple[Any, ...]) -> asyncio.Future[None]:
        """Queue one line for a table.

        What is queued is written, even if nobody waits for it any more.

        Args:
            into: the statement up to and including `VALUES`.
            values: one for each column.

        Returns:
            A future of the running event loop, resolved after the commit that contains the line.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._put((into, values, future))
        # Answers come in bursts: all that the loop has read by now shares one commit.
        if self._about_to_ring is not loop:
            self._about_to_ring = loop
            loop.call_soon(self._bell.put, None)
        return future

    def close(self) -> None:
        """Finish what is queued, then stop the thread."""
        if not self._closed:
            self._closed = True
            self._bell.put(None)
            self._thread.join()

    def _put(self, item: _Item) -> None:
        if self._closed:
            raise StoreError(f"The run store {self._path} is closed. Open it again to write.")
        self._waiting.append(item)

    def _run(self) -> None:
        try:
            while not self._closed or self._waiting:
                self._bell.get()
                # Before the look at what waits: whoever comes after that look rings again.
                self._about_to_ring = None
                while burst := self._next_burst():
                    self._commit(self._connection, burst)
        finally:
            self._connection.close()

    def _next_burst(self) -> list[_Item]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), _BURST))]

    def _commit(self, connection: sqlite3.Connection, burst: list[_Item]) -> None:
        # From here on, a piece can no longer be cancelled.
        burst = [i for i in burst if len(i) == 3 or i[1].set_running_or_notify_cancel()]
        outcomes: list[_Outcome] = []
        lines: list[_Line] = []
        try:
            if not _is_one_statement(burst):
                connection.execute("BEGIN IMMEDIATE")
            for item in burst:
                if len(item) == 3:
                    lines.append(item)
                    continue
                outcomes += _insert(connection, lines)
                lines = []
                outcomes.append((item, *_attempt(connection, item[0])))
            outcomes += _insert(connection, lines)
            if connection.in_transaction:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            failure = StoreError(_explain(error, self._path))
            outcomes = [(item, None, failure) for item in burst]
        _settle(outcomes)


def _is_one_statement(burst: list[_Item]) -> bool:
    """Whether a single statement takes it all. It is a transaction of its own.

    Python lets go of its lock for every statement, and has to win it back from a busy event loop:
    without BEGIN and COMMIT, a burst of answers is on disk after one such round and not three.
    """
    tables = {item[0] if len(item) == 3 else None for item in burst}
    return len(tables) == 1 and None not in tables and len(list(slices(len(burst)))) == 1


def _insert(connection: sqlite3.Connection, lines: list[_Line]) -> Iterable[_Outcome]:
    """Insert lines, those for the same table together and in their order."""
    by_table: dict[str, list[_Line]] = {}
    for line in lines:
        by_table.setdefault(line[0], []).append(line)
    for into, group in by_table.items():
        for part in slices(len(group)):
            yield from _insert_together(connection, into, group[part])


def _insert_together(
    connection: sqlite3.Connection, into: str, lines: Sequence[_Line]
) -> Iterable[_Outcome]:
    statement = insert_statement(into, len(lines), len(lines[0][1]))
    problem: BaseException | None = None
    try:
        connection.execute(statement, [value for line in lines for value in line[1]])
    except sqlite3.OperationalError:
        # A full disk or a lost file concerns the whole burst.
        raise
    except Exception as error:
        if len(lines) > 1:
            # None of them is in: a statement acts wholly or not at all. Find whose fault it is.
            for line in lines:
                yield from _insert_together(connection, into, [line])
            return
        problem = error
    for line in lines:
        yield line, None, problem


def _attempt(connection: sqlite3.Connection, work: _Work) -> tuple[Any, BaseException | None]:
    connection.execute("SAVEPOINT piece")
    try:
        value = work(connection)
    except sqlite3.OperationalError:
        # A full disk or a lost file concerns the whole burst.
        raise
    except Exception as error:
        connection.execute("ROLLBACK TO piece")
        connection.execute("RELEASE piece")
        return None, error
    connection.execute("RELEASE piece")
    return value, None


def _settle(outcomes: list[_Outcome]) -> None:
    """Tell those who wait; each event loop is woken once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[None], Any]]] = {}
    for item, value, problem in outcomes:
        if len(item) == 3:
            by_loop.setdefault(item[2].get_loop(), []).append((item[2], problem))
        elif problem is None:
            item[1].set_result(value)
        else:
            item[1].set_exception(problem)
    for loop, told in by_loop.items():
        try:
            loop.call_soon_threadsafe(_tell, told)
        except RuntimeError:
            # The loop has ended, and all who waited with it. What was queued is written.
            continue


def _tell(told: list[tuple[asyncio.Future[None], BaseException | None]]) -> None:
    for future, problem in told:
        if future.done():
            continue
        if problem is None:
            future.set_result(None)
        else:
            future.set_exception(problem)


def _explain(error: sqlite3.Error, path: Path) -> str:
    if "full" in str(error):
        return (
            f"No space left on the disk of {path}. What was stored before is intact: free some "
            "space and start the same command again."
        )
    return (
        f"Cannot write to {path}: {error}. What was stored before is intact: check the disk and "
        "the permissions, then start the same command again."
    )
