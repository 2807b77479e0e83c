"""Giving a prompt its place in the store, once and for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.store.facts import Admitted

if TYPE_CHECKING:
    import sqlite3

    from cai.records import Prompt
    from cai.store.groups import GroupIndex

__all__ = ["admit"]


def admit(
    connection: sqlite3.Connection, prompt: Prompt, groups: GroupIndex, epoch: int, start: int
) -> Admitted:
    """Store a new prompt with its group, or find a known one; mark it as read by this start.

    Args:
        connection: inside a transaction.
        prompt: new or known.
        groups: assigns the group of a new prompt.
        epoch: number of the prompt file.
        start: number of the start of the run.
    """
    known = connection.execute(
        "SELECT g.split, p.start, r.plan, r.status FROM prompts p JOIN groups g USING (group_id) "
        "LEFT JOIN rows r USING (prompt_id) WHERE p.prompt_id = ?",
        (prompt.id,),
    ).fetchone()
    if known is None:
        (position,) = connection.execute(
            "SELECT coalesce(max(position), -1) + 1 FROM prompts"
        ).fetchone()
        _, split, _ = groups.assign(connection, prompt, position)
        known = (split, None, None, None)
    connection.execute(
        "UPDATE prompts SET epoch = ?, start = ? WHERE prompt_id = ?", (epoch, start, prompt.id)
    )
    split, seen, plan, status = known
    return Admitted(prompt, split, plan, status, repeated=seen == start)
