"""Cases of an incident in two parts: some to measure with, the prompts of others to train on.

A model that was trained on a case answers it well because it knows it. So like cases stay together:
twins, and near-duplicate prompts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from cai.constitution.atomic import write_atomically
from cai.errors import UsageError
from cai.evaluate.means import prompt_groups
from cai.evaluate.refusal.read import couples
from cai.hashing import unit_interval

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cai.evaluate.refusal import FoundCase

__all__ = ["split_cases", "write_parts"]

CASES, PROMPTS = "cases.jsonl", "prompts.jsonl"


def split_cases(
    cases: Sequence[FoundCase], *, keep: float = 0.5, similarity: float = 0.7
) -> tuple[list[FoundCase], list[FoundCase]]:
    """Those to measure with and those to train on, by a hash of each group of like cases.

    Args:
        cases: of the incident.
        keep: share of the groups, about, to measure with.
        similarity: of prompts that are one group, as `split.similarity`.

    Raises:
        UsageError: one of both parts would be empty.
    """
    group = prompt_groups([one.case.asked for one in cases], similarity)
    place = {one.case.id: group[one.case.asked.id] for one in cases}
    for one, other in couples(cases):
        joined, gone = place[one.case.id], place[other.case.id]
        place = {name: joined if its == gone else its for name, its in place.items()}
    ranked = sorted(set(place.values()), key=lambda name: unit_interval("incident", name))
    kept = set(ranked[: max(1, round(keep * len(ranked)))])
    measured = [one for one in cases if place[one.case.id] in kept]
    trained = [one for one in cases if place[one.case.id] not in kept]
    if not trained:
        raise UsageError(
            f"Got {len(cases)} cases in {len(ranked)} groups of like ones, and --keep {keep:g} "
            "leaves none to train on. Allowed: at least two groups. Add cases of the same kind in "
            "other words, or lower --keep."
        )
    return measured, trained


def write_parts(folder: Path, measured: Sequence[FoundCase], trained: Sequence[FoundCase]) -> None:
    """Write `cases.jsonl` for `cai evaluate refusal`, and `prompts.jsonl` for `prompts.mix`.

    Raises:
        UsageError: the folder holds such files already, or cannot be written.
    """
    for name in (CASES, PROMPTS):
        if (folder / name).exists():
            raise UsageError(
                f"{folder / name} is there already. Cases must not change sides: use the files, or "
                "name another folder with --out."
            )
    cases = [
        one.case.model_dump(mode="json", exclude_defaults=True) | {"category": one.category}
        for one in measured
    ]
    prompts = [
        {
            "messages": [{"role": m.role, "content": m.content} for m in one.case.asked.messages],
            "tags": list(dict.fromkeys(("incident", one.category, *one.case.tags))),
        }
        for one in trained
    ]
    for name, rows in ((CASES, cases), (PROMPTS, prompts)):
        text = "".join(orjson.dumps(row).decode() + "\n" for row in rows)
        write_atomically(folder / name, text)
