"""Giving prompts their places in the store, once and for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.hashing import canonical_json
from cai.store.facts import Admitted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from cai.records import Prompt
    from cai.store.groups import GroupIndex

__all__ = ["admit"]


def admit(
    connection: sqlite3.Connection,
    prompts: Sequence[Prompt],
    groups: GroupIndex,
    epoch: int,
    start: int,
) -> list[Admitted]:
    """Store new prompts with their groups, find known ones, and mark all as read by this start.

    Args:
        connection: inside a transaction.
        prompts: new or known; the same one may be there several times.
        groups: assigns the groups of new prompts.
        epoch: number of the prompt file.
        start: number of the start of the run.
    """
    # Of the same prompt from several lines, the first one stays.
    by_id: dict[str, Prompt] = {}
    for prompt in prompts:
        by_id.setdefault(prompt.id, prompt)
    ids = canonical_json(list(by_id)).decode()
    known = {
        prompt_id: facts
        for prompt_id, *facts in connection.execute(
            "SELECT p.prompt_id, g.split, p.start, r.plan, r.status, p.epoch FROM prompts p "
            "JOIN groups g USING (group_id) LEFT JOIN rows r USING (prompt_id) "
            "WHERE p.prompt_id IN (SELECT value FROM json_each(?))",
            (ids,),
        )
    }
    new = [prompt for prompt_id, prompt in by_id.items() if prompt_id not in known]
    if new:
        (position,) = connection.execute(
            "SELECT coalesce(max(position), -1) + 1 FROM prompts"
        ).fetchone()
        assigned = groups.assign(connection, new, position)
        for prompt, (_, split) in zip(new, assigned, strict=True):
            known[prompt.id] = [split, None, None, None, epoch]
    # Another prompt file may give a prompt other tags, and its principles may depend on them.
    connection.executemany(
        "UPDATE prompts SET record = ? WHERE prompt_id = ?",
        [
            (canonical_json(prompt), prompt_id)
            for prompt_id, prompt in by_id.items()
            if known[prompt_id][4] != epoch
        ],
    )
    connection.execute(
        "UPDATE prompts SET epoch = ?, start = ? "
        "WHERE prompt_id IN (SELECT value FROM json_each(?))",
        (epoch, start, ids),
    )
    admitted = []
    for prompt in prompts:
        split, seen, plan, status, _ = known[prompt.id]
        admitted.append(Admitted(prompt, split, plan, status, repeated=seen == start))
        known[prompt.id][1] = start
    return admitted
