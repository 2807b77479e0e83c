"""Run stores of earlier schema versions: bringing them up to date, or reading them as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.store.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

__all__ = ["migrate", "view_as_current"]

_STEPS: Mapping[int, str] = {
    1: """
ALTER TABLE calls ADD COLUMN cost_usd REAL;
CREATE INDEX calls_by_stage ON calls
    (stage, created, prompt_tokens, completion_tokens, cached_tokens, cost_usd);
CREATE TABLE lost (
    request_id        TEXT NOT NULL,
    stage             TEXT NOT NULL,
    fingerprint       TEXT NOT NULL,
    reason            TEXT NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost_usd          REAL,
    created           REAL NOT NULL
);
CREATE TABLE batches (
    batch_id    TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status      TEXT NOT NULL,
    created     REAL NOT NULL,
    ended       REAL,
    requests    BLOB NOT NULL
);
ALTER TABLE bands RENAME TO bands_1;
CREATE TABLE bands (
    level    INTEGER NOT NULL,
    key      INTEGER NOT NULL,
    founder  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (level, key, founder, position)
) WITHOUT ROWID;
-- On the highest level that so many prompts have.
INSERT INTO bands SELECT
    (n >= 512) + (n >= 4096) + (n >= 32768) + (n >= 262144) + (n >= 2097152) + (n >= 16777216),
    key, founder, position
    FROM (SELECT coalesce(max(position), -1) + 1 AS n FROM prompts), bands_1
    ORDER BY key, founder, position;
DROP TABLE bands_1;
ALTER TABLE rows ADD COLUMN finished REAL;
CREATE INDEX rows_by_time ON rows (finished);
""",
    2: """
CREATE TABLE sampling_plans (
    number  INTEGER PRIMARY KEY,
    plan_id TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,
    record  BLOB NOT NULL
);
CREATE TABLE items (
    plan_id TEXT NOT NULL REFERENCES sampling_plans (plan_id),
    place   INTEGER NOT NULL,
    item_id TEXT NOT NULL,
    record  BLOB NOT NULL,
    PRIMARY KEY (plan_id, item_id)
) WITHOUT ROWID;
CREATE TABLE annotators (
    annotator_id TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    kind         TEXT NOT NULL CHECK (kind IN ('human', 'model', 'simulated')),
    created      REAL NOT NULL
);
CREATE TABLE actions (
    number       INTEGER PRIMARY KEY,
    action_id    TEXT NOT NULL UNIQUE,
    annotator_id TEXT NOT NULL REFERENCES annotators (annotator_id),
    item_id      TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('label', 'practice', 'adjudicate')),
    record       BLOB NOT NULL,
    created      REAL NOT NULL
);
CREATE INDEX actions_by_item ON actions (role, item_id, annotator_id, number);
CREATE TABLE retired (
    group_id TEXT PRIMARY KEY REFERENCES groups (group_id),
    reason   TEXT NOT NULL CHECK (reason IN ('promoted', 'cases')),
    created  REAL NOT NULL
);
""",
}
"""From each version to the next. The texts are as frozen as the files that they change."""

_UNLABELLED = """
CREATE TEMP VIEW sampling_plans AS SELECT 0 AS number, '' AS plan_id, 0.0 AS created,
    '' AS record WHERE false;
CREATE TEMP VIEW items AS SELECT '' AS plan_id, 0 AS place, '' AS item_id, '' AS record WHERE false;
CREATE TEMP VIEW annotators AS SELECT '' AS annotator_id, '' AS name, '' AS kind, 0.0 AS created
    WHERE false;
CREATE TEMP VIEW actions AS SELECT 0 AS number, '' AS action_id, '' AS annotator_id,
    '' AS item_id, '' AS role, '' AS record, 0.0 AS created WHERE false;
CREATE TEMP VIEW retired AS SELECT '' AS group_id, '' AS reason, 0.0 AS created WHERE false;
"""

_VIEWS: Mapping[int, str] = {
    1: _UNLABELLED
    + """
CREATE TEMP VIEW calls AS SELECT request_id, stage, fingerprint, head, request, completion,
    prompt_tokens, completion_tokens, cached_tokens, created, NULL AS cost_usd FROM main.calls;
CREATE TEMP VIEW lost AS SELECT '' AS request_id, '' AS stage, '' AS fingerprint, '' AS reason,
    0 AS prompt_tokens, 0 AS completion_tokens, 0.0 AS cost_usd, 0.0 AS created WHERE false;
CREATE TEMP VIEW batches AS SELECT '' AS batch_id, '' AS fingerprint, '' AS status,
    0.0 AS created, 0.0 AS ended, '[]' AS requests WHERE false;
CREATE TEMP VIEW rows AS SELECT prompt_id, plan, status, record, NULL AS finished FROM main.rows;
""",
    2: _UNLABELLED,
}
"""What lets the queries for the current version read a file of an earlier one."""


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file to the current version, wholly or not at all. Nothing that it holds is lost.

    Args:
        connection: open for writing, outside a transaction; the caller holds the run's lock.
        version: of the file, at least 1.

    Raises:
        sqlite3.Error: the file cannot be written; it is as it was once the connection is closed.
    """
    steps = "".join(_STEPS[step] for step in range(version, SCHEMA_VERSION))
    connection.executescript(
        f"BEGIN IMMEDIATE;{steps}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"
    )


def view_as_current(connection: sqlite3.Connection, version: int) -> None:
    """Let a read-only connection see a file of an earlier version as one of the current version.

    Temporary views stand before the tables that lack something; the file is not touched.

    Args:
        connection: open for reading.
        version: of the file, at least 1.
    """
    if version in _VIEWS:
        connection.executescript(_VIEWS[version])
