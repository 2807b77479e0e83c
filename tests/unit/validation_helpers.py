"""A run whose held-out pairs are judged as a test says, and people who label them."""

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from cai.config import ValidationConfig
from cai.records import Pair, Response, Revision, Row, Split, Verdict
from cai.store import RunStore
from cai.validation import Action, Annotation, Annotator, Item, Labels, SamplingPlan
from cai.validation.records import Choice, Role, item_id
from cai.validation.sampling import make_plan
from tests.unit.store_helpers import PLAN, ask, fill, silent, verdict

_numbers = count()

ALL = ValidationConfig(overlap=1.0, repeats=0.0, stratify=("confidence",))
"""Everybody labels everything, once."""


def given(p: float | str, principle: str = "p1") -> Verdict:
    """A verdict of this probability for the first answer, or none, for this reason."""
    if isinstance(p, str):
        return silent(p)
    outcome = "tie" if abs(p - 0.5) <= 0.05 else "first" if p > 0.5 else "second"
    return verdict(p, 1.0 - p, outcome, principle=principle)


def judged(number: int, *ps: float | str, tags: Iterable[str] = (), principle: str = "p1") -> Row:
    """A row with a (draft, revision) pair for each p; `number` is in all its texts."""
    prompt = ask(f"Question {number}?", *tags)
    names = ("sample 0", "sample 0, revision 1")
    revised = Revision(1, "p1", "revised", f"Better {number}.")
    pairs = tuple(
        Pair(
            *(prompt.id, "revision", f"Draft {number}{'!' * i}.", f"Better {number}{'!' * i}."),
            *(*names, given(p, principle)),
        )
        for i, p in enumerate(ps)
    )
    draft = Response(f"Draft {number}.", f"Draft {number}.", "answered", f"sample-{number}")
    return Row(prompt, PLAN, (draft,), ((revised,),), pairs)


def write_run(folder: Path, held_out: Sequence[Row], train: int = 6, **facts: Any) -> Path:
    """Held-out rows first, then some of the train and dev splits."""
    rows: list[tuple[Row, Split]] = [(row, "held_out") for row in held_out]
    rows += [(judged(1000 + i, 0.9), "train" if i % 3 else "dev") for i in range(train)]
    return fill(folder, rows, **facts)


def draw(
    store: RunStore, labels: int = 1000, settings: ValidationConfig = ALL, seed: int = 0
) -> tuple[SamplingPlan, tuple[Item, ...]]:
    """Draw a plan and make it the current one; by default of all pairs."""
    plan, items = make_plan(store, settings, labels=labels, seed=seed)
    Labels(store).put_plan(plan, items)
    return plan, tuple(items)


def make_item(number: int, p: float | str = 0.9, **changes: Any) -> Item:
    """An item of no plan."""
    tags, principle = changes.pop("tags", ()), changes.pop("principle", "p1")
    row = judged(number, p, tags=tags, principle=principle)
    pair, repeat = row.pairs[0], changes.get("repeat", False)
    group = changes.pop("group_id", row.prompt.id)
    return Item(item_id(pair.id, repeat=repeat), row.prompt, pair, group, **changes)


def act(
    who: Annotator,
    item: Item | str,
    choice: Choice | None,
    role: Role = "label",
    action_id: str = "",
    **said: Any,
) -> Action:
    """One action; every call is another one, later than those before."""
    number = next(_numbers)
    named = item if isinstance(item, str) else item.item_id
    annotation = Annotation(choice, **said)
    return Action(action_id or f"act-{number}", who.id, named, role, annotation, float(number))


def label_all(
    store: RunStore,
    names: Iterable[str],
    choose: Callable[[int, Item], Choice | None],
    kind: Any = "human",
) -> list[Annotator]:
    """Let annotators label all items of the current plan; `choose(place of annotator, item)`."""
    labels = Labels(store)
    people = [labels.add_annotator(name, kind) for name in names]
    labels.act(
        act(who, item, choose(place, item))
        for place, who in enumerate(people)
        for item in labels.items()
    )
    return people


def winner(item: Item) -> Choice:
    """What the judge said, who must have said something."""
    assert item.pair.p is not None
    return "first" if item.pair.p > 0.5 else "second"


def other(choice: Choice) -> Choice:
    """The other answer."""
    return "second" if choice == "first" else "first"
