"""Where people and judge disagree: test cases for the constitution, and candidates for few-shot."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.validation.table import NAMES, judge_code, read_table

if TYPE_CHECKING:
    from cai.validation.labels import Labels
    from cai.validation.records import Annotation, Item
    from cai.validation.table import GoldMethod

__all__ = ["Case", "as_yaml", "find_cases"]

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


def as_yaml(case: Case) -> dict[str, Any]:
    """The case as plain data: what a constitution's tests and few-shot examples are made of."""
    pair, prompt = case.item.pair, case.item.prompt
    code = judge_code(pair)
    record: dict[str, Any] = {
        "id": f"people-{pair.id}",
        "prompt": [{"role": m.role, "content": m.content} for m in prompt.messages],
        "a": pair.first,
        "b": pair.second,
        "expect": case.expect,
        "judge": {
            "said": "nothing"
            if code < 0
            else NAMES[code].replace("first", "a").replace("second", "b")
        },
        "people": case.people,
    }
    if pair.p is not None:
        record["judge"]["p"] = round(pair.p, 4)
    if case.principle_id:
        record["principle"] = case.principle_id
    if case.notes:
        record["notes"] = list(case.notes)
    if prompt.tags:
        record["tags"] = list(prompt.tags)
    return record


def _sureness(item: Item) -> float:
    return 0.0 if item.pair.p is None else abs(item.pair.p - 0.5)
