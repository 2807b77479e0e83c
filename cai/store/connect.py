"""Opening the SQLite file of a run: pragmas, schema, lock."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from typing import IO, TYPE_CHECKING

from cai.errors import StoreError
from cai.store.migrate import migrate, view_as_current
from cai.store.schema import DDL, SCHEMA_VERSION

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PIPELINE_LOCK", "connect_reader", "connect_writer", "lock_run", "locked_since"]

_LOCK = "run.lock"
PIPELINE_LOCK = "pipeline.lock"
"""Held by `cai run`, whose stages lock and unlock the run itself."""
_PATIENCE_S = 0.25
_CACHE_KB = 16_000
_LOG_PAGES = 4_000
_STATEMENTS = 256


def lock_run(folder: Path, name: str = _LOCK) -> IO[str]:
    """Create the folder and take its lock; the system lets go of it when the process ends.

    The time of the lock file's last change says since when the lock is held.

    Raises:
        StoreError: another process holds it, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / name).open("a")
    except OSError as error:
        raise StoreError(
            f"Cannot write to the run folder {folder}: {error.strerror}. Choose another with --run."
        ) from error
    # Whoever looks whether the lock is held holds it for a moment.
    patient_until = time.monotonic() + _PATIENCE_S
    while not _flock(handle, fcntl.LOCK_EX):
        if time.monotonic() > patient_until:
            handle.close()
            raise StoreError(
                f"Another process is writing to the run {folder}. Wait for it to end, or stop "
                "it (cai review ends with Ctrl-C)."
            )
        time.sleep(0.02)
    os.utime(handle.fileno())
    return handle


def locked_since(folder: Path, name: str = _LOCK) -> float | None:
    """Since when a process has been writing to a run, in Unix seconds; None when none is."""
    try:
        with (folder / name).open() as handle:
            if _flock(handle, fcntl.LOCK_SH):
                return None
            return os.fstat(handle.fileno()).st_mtime
    except FileNotFoundError:
        return None


def _flock(handle: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def connect_writer(path: Path, durable: bool) -> sqlite3.Connection:
    """Open for writing; create or migrate the tables.

    Raises:
        StoreError: the file is no run store, or of a newer version.
    """
    # The writer thread takes the connection over; it is never used by two threads at once.
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA busy_timeout = 10000")
        # New prompts touch pages all over the index of groups; these keep most of them at hand,
        # and let a page change several times before it is written back.
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        version = _version(connection, path)
        if version == 0:
            connection.executescript(f"BEGIN;{DDL}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
        elif version < SCHEMA_VERSION:
            migrate(connection, version)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StoreError(
            f"{path} cannot be opened as a run store: {error}. Choose another folder with --run."
        ) from error
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open for reading. A file of an older version is not changed; it looks like a current one.

    Raises:
        StoreError: there is no such run, it is no run store, or of a newer version.
    """
    if not path.is_file():
        runs = sorted(p.parent.name for p in path.parent.parent.glob("*/run.db"))
        known = f" Runs beside it: {', '.join(runs)}." if runs else ""
        if shard := next(iter(sorted(path.parent.glob("shards/*/run.db"))), None):
            known = f" It has shards, each a run of its own, such as {shard.parent}."
        raise StoreError(
            f"No run in {path.parent}.{known} Name the folder that the run printed; a relative one "
            "counts from where that was started."
        )
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA busy_timeout = 10000")
        version = _version(connection, path)
        if version == 0:
            raise StoreError(f"{path} is not a run store. Choose another folder with --run.")
        view_as_current(connection, version)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StoreError(f"{path} is not a run store ({error}). Choose another folder.") from error
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {version}; this toolkit knows up to {SCHEMA_VERSION}. "
            "Upgrade with: pip install -U constitutional-ai"
        )
    return version
