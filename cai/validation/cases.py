"""Where people and judge disagree: test cases for the constitution, and candidates for few-shot."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.validation.table import judge_code, read_table
from cai.wording import counted

if TYPE_CHECKING:
    from cai.validation.labels import Labels
    from cai.validation.records import Annotation, Item
    from cai.validation.table import GoldMethod

__all__ = ["Case", "as_plain", "find_cases"]

_SLUG = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")

_EXPECT = {0: "a", 1: "b", 2: "tie"}


@dataclass(frozen=True, slots=True)
class Case:
    """One pair on which the judge was wrong by people's labels."""

    item: Item
    expect: str
    people: int
    notes: tuple[str, ...]
    principle_id: str


def find_cases(labels: Labels, method: GoldMethod = "majority") -> list[Case]:
    """Pairs whose gold label is not the judge's, the judge's surest mistakes first.

    Args:
        labels: of the run.
        method: how several labels become one.
    """
    table = read_table(labels, method)
    said: dict[str, list[Annotation]] = defaultdict(list)
    for (_, item_id), action in labels.current(kind="human").items():
        said[item_id].append(action.annotation)
    cases = []
    for item, ratings, gold in zip(table.items, table.ratings, table.gold, strict=True):
        if gold < 0 or gold == judge_code(item.pair):
            continue
        theirs = said[item.item_id]
        principles = [a.principle_id for a in theirs if a.principle_id]
        cases.append(
            Case(
                item=item,
                expect=_EXPECT[int(gold)],
                people=int((ratings >= 0).sum()),
                notes=tuple(a.note for a in theirs if a.note),
                principle_id=max(principles, key=principles.count, default=""),
            )
        )
    return sorted(cases, key=lambda case: -_sureness(case.item))


def as_plain(case: Case) -> dict[str, Any]:
    """The case as `cai constitution test` reads it (`cai.constitution.cases.Case`).

    Raises:
        ValueError: people called it a tie, for which that format has no word.
    """
    pair, prompt = case.item.pair, case.item.prompt
    if case.expect == "tie":
        raise ValueError(f"{pair.id}: people prefer neither answer")
    better, worse = (pair.first, pair.second) if case.expect == "a" else (pair.second, pair.first)
    record: dict[str, Any] = {"id": f"people-{pair.id}"}
    if case.principle_id:
        record["principle"] = case.principle_id
    record["prompt"] = [{"role": m.role, "content": m.content} for m in prompt.messages]
    record |= {"better": better, "worse": worse}
    # Tags of prompts are free words, those of cases are not.
    if tags := [tag for tag in prompt.tags if _SLUG.fullmatch(tag)]:
        record["tags"] = tags
    record["note"] = " ".join([_said(case), *case.notes])
    return record


def _said(case: Case) -> str:
    """What people and judge said, in words."""
    code, pair = judge_code(case.item.pair), case.item.pair
    judge = {0: "this one" if case.expect == "a" else "the other one"}
    judge |= {1: "this one" if case.expect == "b" else "the other one", 2: "neither"}
    p = "" if pair.p is None else f" (p of its choice {max(pair.p, 1 - pair.p):.2f})"
    said = f"The judge preferred {judge[code]}{p}." if code >= 0 else "The judge said nothing."
    return f"By {counted(case.people, 'person')}. {said}".replace("persons", "people")


def _sureness(item: Item) -> float:
    return 0.0 if item.pair.p is None else abs(item.pair.p - 0.5)
