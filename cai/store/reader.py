"""The reading side of a run store: one connection that names what is wrong with its file."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cai.errors import StoreError
from cai.store.connect import connect_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Reader"]


class Reader:
    """Queries on one read-only connection."""

    def __init__(self, path: Path) -> None:
        """Open the file of a run.

        Raises:
            StoreError: there is no such run, it is no run store, or of a newer version.
        """
        self._path = path
        self._connection = connect_reader(path)

    def select(self, query: str, *values: Any) -> Iterator[Any]:
        """Yield the records that a query finds.

        Raises:
            StoreError: the file is damaged or cannot be read.
        """
        try:
            # No `yield from`: it would close the cursor of a walk that outlives the store.
            for record in self._connection.execute(query, values):  # noqa: UP028
                yield record
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"{self._path} cannot be read: {error}. Check the disk and the permissions."
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error

    def first(self, query: str, *values: Any) -> Any:
        """The first record, or None.

        Raises:
            StoreError: as for `select`.
        """
        return next(self.select(query, *values), None)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries inside see one and the same state."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def check(self) -> None:
        """Run SQLite's own integrity check.

        Raises:
            StoreError: the file is damaged.
        """
        (found,) = self.first("PRAGMA integrity_check")
        if found != "ok":
            raise self._damaged(found)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _damaged(self, problem: object) -> StoreError:
        return StoreError(
            f"{self._path} is damaged. Restore it from a copy or start a new run. ({problem})"
        )
