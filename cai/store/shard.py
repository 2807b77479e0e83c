"""Shards: parts of a run that are worked on apart, each in a store of its own.

A shard computes no groups and no splits, because they depend on the prompts of all shards. Its
prompts wait in quarantine, and `cai.store.merge` gives them their place in the whole run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.errors import UsageError
from cai.hashing import canonical_json
from cai.store.facts import Admitted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from cai.records import Prompt

__all__ = ["Shard", "admit_to_shard", "first_position", "found_shards"]

_FOLDER = re.compile(r"([1-9]\d*)-of-([1-9]\d*)")
_PROMPTS_IN_A_FILE = 2**40
"""More than any prompt file holds."""


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """Shard `index` of `count`, counted from 1. It holds the prompts whose ids fall to it.

    Ids are hashes, so shards are about equally large, a repeated prompt belongs to one shard, and
    nobody has to remember what was read before.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageError(
                f"Shard {self.index}/{self.count}: the shards of {self.count} are 1 to "
                f"{self.count}. Give --shard i/n with 1 ≤ i ≤ n, for example --shard 1/8."
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `i/n`.

        Raises:
            UsageError: it is something else.
        """
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        if match is None:
            raise UsageError(
                f"--shard: got '{text}'. Allowed: i/n with 1 ≤ i ≤ n, for example --shard 1/8."
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, prompt: Prompt) -> bool:
        """Whether a prompt belongs to this shard."""
        return int(prompt.id, 16) % self.count == self.index - 1

    def folder(self, run: Path) -> Path:
        """Where the shard of a run is kept."""
        return run / "shards" / f"{self.index}-of-{self.count}"


def found_shards(run: Path) -> list[Shard]:
    """The shards of a run that have a store, in order."""
    matches = (_FOLDER.fullmatch(path.parent.name) for path in run.glob("shards/*/run.db"))
    return sorted(Shard(int(match[1]), int(match[2])) for match in matches if match)


def first_position(epoch: int) -> int:
    """The position in a shard of the first prompt of a prompt file, by the file's number.

    Positions in a shard count all prompts of the file, so that those of all shards can be put in
    the order of the file again.
    """
    return epoch * _PROMPTS_IN_A_FILE


def admit_to_shard(
    connection: sqlite3.Connection, prompts: Sequence[tuple[int, Prompt]], epoch: int, start: int
) -> list[Admitted]:
    """Store prompts without groups, or find known ones; mark them as read by this start.

    Args:
        connection: inside a transaction.
        prompts: each with its place in the prompt file, counted from 0.
        epoch: number of the prompt file.
        start: number of the start of the shard.
    """
    connection.execute("INSERT OR IGNORE INTO groups VALUES ('', 'quarantine')")
    return [_admit(connection, place, prompt, epoch, start) for place, prompt in prompts]


def _admit(
    connection: sqlite3.Connection, place: int, prompt: Prompt, epoch: int, start: int
) -> Admitted:
    position = first_position(epoch) + place
    known = connection.execute(
        "SELECT p.epoch, p.start, r.plan, r.status FROM prompts p LEFT JOIN rows r "
        "USING (prompt_id) WHERE p.prompt_id = ?",
        (prompt.id,),
    ).fetchone()
    if known is None:
        connection.execute(
            "INSERT INTO prompts (position, prompt_id, epoch, start, group_id, signature, record) "
            "VALUES (?, ?, ?, ?, '', x'', ?)",
            (position, prompt.id, epoch, start, canonical_json(prompt)),
        )
        return Admitted(prompt, "quarantine", None, None)
    before, seen, plan, status = known
    if before == epoch:
        connection.execute("UPDATE prompts SET start = ? WHERE prompt_id = ?", (start, prompt.id))
    else:
        connection.execute(
            "UPDATE prompts SET position = ?, epoch = ?, start = ?, record = ? WHERE prompt_id = ?",
            (position, epoch, start, canonical_json(prompt), prompt.id),
        )
    return Admitted(prompt, "quarantine", plan, status, repeated=seen == start)
