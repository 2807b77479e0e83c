"""Files of feedback come in: checked whole, then stored in pieces that are durable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from cai.config import SplitConfig
from cai.errors import InputError
from cai.feedback.reading import Bad, read_lines
from cai.feedback.record import stored
from cai.feedback.tables import insert_rows
from cai.hashing import canonical_json
from cai.intake.lines import readable
from cai.intake.read import existing
from cai.records import Message, Prompt
from cai.store.admit import admit
from cai.store.groups import GroupIndex
from cai.wording import counted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cai.feedback.forms import FeedbackRow
    from cai.feedback.salt import Salt
    from cai.store import RunStore

__all__ = ["Taken", "take_file"]

_ROWS = 256
"""Rows that are stored together."""
_REMOVED = canonical_json(Prompt((Message("user", "(removed)"),)))
"""Stands for a prompt that was taken back; its place and its group stay."""
_LISTED = 20
"""Most bad rows that an error lists."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a file.

    `new` rows were stored, `known` ones were there (or twice in the file), `refused` ones are
    without consent. `bad` are the first lines that are no rows, of `bad_lines`.
    """

    name: str
    sha256: str
    new: int
    known: int
    refused: int
    bad_lines: int
    bad: tuple[Bad, ...]


def take_file(
    store: RunStore,
    path: Path,
    salt: Salt,
    *,
    skip_bad: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> Taken:
    """Check a whole file, then store its rows. A row that is known adds nothing.

    A process that is killed leaves whole rows; the same command again stores the rest.

    Args:
        store: has the tables of `cai.feedback.tables`.
        path: JSONL, plain or gzip.
        salt: hashes names.
        skip_bad: store the good rows of a file that has bad ones.
        progress: is told the number of rows now and then.

    Raises:
        InputError: the file cannot be read, or has bad rows and `skip_bad` is not set.
    """
    found = existing(path, "file of feedback")
    good, bad_lines, bad = _look(found, salt)
    if bad_lines and not skip_bad:
        raise InputError(_told(found, bad_lines, bad))
    if not good:
        raise InputError(
            f"{found} holds no row of feedback. Allowed: one JSON object per line with 'kind', "
            "'prompt', 'answer' and what docs/feedback.md lists. Name another file."
        )
    with readable(found), found.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    new = refused = done = 0
    index = _index()
    rows = (row for _, row in read_lines(found, salt) if not isinstance(row, Bad))
    while batch := tuple(islice(rows, _ROWS)):
        added, without = store.transact(partial(_store, rows=batch, index=index, file=digest))
        new, refused, done = new + added, refused + without, done + len(batch)
        progress(done)
    line = (digest, found.name, good, bad_lines, refused)
    store.transact(partial(_finish, line=line, bad=bad))
    return Taken(found.name, digest, new, good - new - refused, refused, bad_lines, bad)


def _look(path: Path, salt: Salt) -> tuple[int, int, tuple[Bad, ...]]:
    """Good rows, bad lines, and the first of those."""
    good, bad_lines = 0, 0
    bad: list[Bad] = []
    for _, row in read_lines(path, salt):
        if isinstance(row, Bad):
            bad_lines += 1
            if len(bad) < _LISTED:
                bad.append(row)
        else:
            good += 1
    return good, bad_lines, tuple(bad)


def _store(
    connection: sqlite3.Connection, rows: Sequence[FeedbackRow], index: GroupIndex, file: str
) -> tuple[int, int]:
    """Store a piece; returns how many rows were new, and how many are without consent."""
    lines, without, prompts = [], [], []
    for row in rows:
        kept, columns = stored(row)
        if row.consent is False:
            without.append((columns["row_id"],))
            continue
        prompts.append(kept.prompt)
        lines.append((columns, canonical_json(kept), file))
    # The split of a prompt is drawn before anything that was said of it is looked at.
    if prompts:
        admit(connection, prompts, index, epoch=0, start=0)
    connection.executemany("INSERT OR IGNORE INTO feedback_refused VALUES (?)", without)
    _take_back(connection, without)
    return insert_rows(connection, lines), len(without)


def _take_back(connection: sqlite3.Connection, without: Sequence[tuple[Any]]) -> None:
    """Delete rows whose consent was taken back, and the words of prompts that nobody else has."""
    connection.execute("PRAGMA secure_delete = ON")
    for (row_id,) in without:
        found = connection.execute(
            "DELETE FROM feedback WHERE row_id = ? RETURNING prompt_id", (row_id,)
        ).fetchall()
        connection.executemany(
            "UPDATE prompts SET record = ? WHERE prompt_id = ? AND NOT EXISTS "
            "(SELECT 1 FROM feedback f WHERE f.prompt_id = prompts.prompt_id)",
            [(_REMOVED, prompt_id) for (prompt_id,) in found],
        )


def _finish(
    connection: sqlite3.Connection, line: tuple[str, str, int, int, int], bad: Sequence[Bad]
) -> None:
    digest = line[0]
    connection.execute(
        "INSERT OR IGNORE INTO feedback_files "
        "SELECT ?, ?, ?, ?, ?, coalesce(max(number), 0) + 1 FROM feedback_files",
        line,
    )
    connection.executemany(
        "INSERT OR IGNORE INTO feedback_bad VALUES (?, ?, ?)",
        [(digest, one.line, one.error) for one in bad],
    )


def _index() -> GroupIndex:
    """Groups and splits as in a run with the default config; a folder keeps them for good."""
    split = SplitConfig()
    return GroupIndex(split.similarity, split.dev, split.held_out, split.seed)


def _told(path: Path, lines: int, bad: Sequence[Bad]) -> str:
    more = f"\n  and {counted(lines - len(bad), 'more line')}" if lines > len(bad) else ""
    listed = "".join(f"\n  {one.error}" for one in bad)
    return (
        f"{path} has {counted(lines, 'line')} that cannot be read, and nothing of it was stored:"
        f"{listed}{more}\nMend them, or leave them out with --skip-bad."
    )
