"""Tables of feedback, beside those of the run store that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from cai.store import RunStore

__all__ = ["has_tables", "insert_rows", "make_tables"]

_DDL = (
    # `fate` and `why` are what sorting made of the row (cai.feedback.sorting); empty before it.
    """CREATE TABLE IF NOT EXISTS feedback (
        row_id     TEXT NOT NULL UNIQUE,
        kind       TEXT NOT NULL CHECK (kind IN ('thumbs', 'edit', 'report')),
        prompt_id  TEXT NOT NULL REFERENCES prompts (prompt_id),
        answer_id  TEXT NOT NULL,
        edit_id    TEXT,
        value      TEXT NOT NULL,
        user       TEXT NOT NULL,
        session    TEXT NOT NULL,
        time       TEXT NOT NULL,
        draw       TEXT NOT NULL,
        log_length REAL NOT NULL,
        agrees     INTEGER NOT NULL,
        refuses    INTEGER NOT NULL,
        personal   TEXT NOT NULL,
        consent    INTEGER NOT NULL,
        file       TEXT NOT NULL,
        fate       TEXT NOT NULL DEFAULT '',
        why        TEXT NOT NULL DEFAULT '',
        record     BLOB NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS feedback_by_answer ON feedback (answer_id, kind, value)",
    "CREATE INDEX IF NOT EXISTS feedback_by_user ON feedback (user, answer_id)",
    "CREATE INDEX IF NOT EXISTS feedback_by_fate ON feedback (fate, kind)",
    # Files that were read to the end, by the hash of their bytes.
    """CREATE TABLE IF NOT EXISTS feedback_files (
        sha256  TEXT PRIMARY KEY,
        name    TEXT NOT NULL,
        rows    INTEGER NOT NULL,
        bad     INTEGER NOT NULL,
        refused INTEGER NOT NULL,
        number  INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS feedback_bad (
        sha256 TEXT NOT NULL,
        line   INTEGER NOT NULL,
        error  TEXT NOT NULL,
        PRIMARY KEY (sha256, line)
    ) WITHOUT ROWID""",
    # Rows without consent: their ids alone, so that an older file does not bring them back.
    "CREATE TABLE IF NOT EXISTS feedback_refused (row_id TEXT PRIMARY KEY) WITHOUT ROWID",
    # What the judge said of liked answers; `neutral` is what they were compared with.
    """CREATE TABLE IF NOT EXISTS feedback_judged (
        answer_id  TEXT PRIMARY KEY,
        judge      TEXT NOT NULL,
        p          REAL,
        conflict   INTEGER NOT NULL,
        why        TEXT NOT NULL,
        neutral    TEXT NOT NULL
    ) WITHOUT ROWID""",
    # What is shown for which row on the review page: `queue` to be decided, `check` to compare with
    # what users `said`. `side` is the place of the row's answer in the pair that is shown.
    """CREATE TABLE IF NOT EXISTS feedback_items (
        item_id   TEXT NOT NULL,
        purpose   TEXT NOT NULL CHECK (purpose IN ('queue', 'check')),
        answer_id TEXT NOT NULL,
        edit_id   TEXT NOT NULL,
        side      TEXT NOT NULL CHECK (side IN ('first', 'second')),
        said      TEXT NOT NULL,
        PRIMARY KEY (item_id, purpose, answer_id, edit_id)
    ) WITHOUT ROWID""",
    # What people said on the review page; renewed from their labels before each sorting.
    """CREATE TABLE IF NOT EXISTS feedback_decided (
        answer_id TEXT NOT NULL,
        edit_id   TEXT NOT NULL,
        verdict   TEXT NOT NULL CHECK (verdict IN ('good', 'bad', 'worse')),
        PRIMARY KEY (answer_id, edit_id)
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS feedback_drafted (case_id TEXT PRIMARY KEY) WITHOUT ROWID",
)


def make_tables(store: RunStore) -> None:
    """Create the tables that are missing."""

    def work(connection: sqlite3.Connection) -> None:
        for statement in _DDL:
            connection.execute(statement)

    store.transact(work)


def has_tables(store: RunStore) -> bool:
    """Whether feedback was ever imported into a folder."""
    found = store.select("SELECT 1 FROM sqlite_master WHERE name = 'feedback'")
    return next(found, None) is not None


def insert_rows(
    connection: sqlite3.Connection, rows: Iterable[tuple[Mapping[str, Any], bytes, str]]
) -> int:
    """Insert rows that are not known and were not refused; returns how many were new.

    Args:
        connection: inside a transaction.
        rows: columns from `cai.feedback.record.stored`, the record, and the hash of the file.
    """
    before = connection.total_changes
    for columns, record, file in rows:
        names = [*columns, "file", "record"]
        connection.execute(
            f"INSERT OR IGNORE INTO feedback ({', '.join(names)}) "
            f"SELECT {', '.join('?' * len(names))} WHERE NOT EXISTS "
            "(SELECT 1 FROM feedback_refused WHERE row_id = ?)",
            (*columns.values(), file, record, columns["row_id"]),
        )
    return connection.total_changes - before
