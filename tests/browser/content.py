"""What the annotators of these tests read: everyday questions with two answers each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.records import Message, Pair, Prompt, Verdict
from cai.store import RunStore
from cai.validation import Item, Labels, SamplingPlan, Stratum
from cai.validation.records import item_id
from cai.yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTENT: dict[str, Any] = read_yaml(Path(__file__).with_name("content.yaml"))
CONSTITUTION: dict[str, Any] = _CONTENT["constitution"]


def make_items(count: int) -> list[Item]:
    """So many pairs; those after the first ones ask the same of another day."""
    items = []
    talks = _CONTENT["talks"]
    for number in range(count):
        talk = talks[number % len(talks)]
        question, first, second = talk["question"], talk["first"], talk["second"]
        turns = [Message("user", question)]
        if number >= len(talks):
            turns = [
                Message("user", f"I have {number} small questions for you today."),
                Message("assistant", "Go ahead!"),
                Message("user", question),
            ]
        prompt = Prompt(tuple(turns))
        pair = Pair(prompt.id, "revision", first, second, "first name", "second name")
        items.append(Item(item_id(pair.id), prompt, pair, prompt.id))
    return items


def hostile_item(number: int, text: str, other: str = "Fine.") -> Item:
    """A pair whose first answer is hostile."""
    prompt = Prompt((Message("user", f"Hostile question {number}? {text[:200]}"),))
    verdict = Verdict("first", (), 0.9)
    pair = Pair(prompt.id, "samples", text, other, "sample 0", "sample 1", verdict)
    return Item(item_id(pair.id), prompt, pair, prompt.id)


def make_run(folder: Path, items: Sequence[Item], *, ask_refusals: bool = False) -> Path:
    """A run with a plan that has drawn these items."""
    plan = SamplingPlan(
        run_plan="plan-1",
        seed=11,
        strata=(Stratum("all", 400, len(items)),),
        groups=len(items),
        annotators=2,
        overlap=1.0,
        repeats=0.0,
        ask_refusals=ask_refusals,
        goal=f"{len(items)} of 400 held-out pairs, for an interval of ± 6 points",
    )
    with RunStore.open(folder) as store:
        store.set_meta(constitution=CONSTITUTION, plan="plan-1", epoch=0)
        Labels(store).put_plan(plan, items)
    return folder
