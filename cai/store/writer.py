"""The one writer of a run store: group commits, and no answer before the data is on disk."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from cai.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Writer"]

_Result = TypeVar("_Result")
_Work = Callable[[sqlite3.Connection], Any]


class Writer:
    """Runs pieces of work on one connection, many to a transaction.

    While a transaction is being committed, new work piles up and shares the next commit, so the
    cost of a durable write is spread over all that wait for it. A piece that raises is undone
    alone (savepoint) and does not disturb its neighbours.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Take over `connection`, opened with `check_same_thread=False`."""
        self._connection = connection
        self._path = path
        self._queue: queue.SimpleQueue[tuple[_Work, Future[Any]] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="cai-store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], _Result]) -> Future[_Result]:
        """Queue `work(connection)`; the future is resolved after the commit that contains it."""
        if self._closed:
            raise StoreError(f"The run store {self._path} is closed. Open it again to write.")
        future: Future[_Result] = Future()
        self._queue.put((work, future))
        return future

    def close(self) -> None:
        """Finish what is queued, then stop the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        try:
            while (burst := self._next_burst()) is not None:
                self._commit(self._connection, burst)
        finally:
            self._connection.close()

    def _next_burst(self) -> list[tuple[_Work, Future[Any]]] | None:
        """Wait for work, then take all that waits; None when the writer is to stop."""
        item = self._queue.get()
        if item is None:
            return None
        burst = [item]
        while len(burst) < 1024:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                # Commit this burst first, then see the end mark again.
                self._queue.put(None)
                break
            burst.append(item)
        return burst

    def _commit(
        self, connection: sqlite3.Connection, burst: list[tuple[_Work, Future[Any]]]
    ) -> None:
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for work, future in burst:
                if future.set_running_or_notify_cancel():
                    results.append((future, *_attempt(connection, work)))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            failure = StoreError(_explain(error, self._path))
            for _, future in burst:
                if not future.done():
                    future.set_exception(failure)
            return
        for future, value, problem in results:
            if problem is None:
                future.set_result(value)
            else:
                future.set_exception(problem)


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
