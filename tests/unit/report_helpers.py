"""Runs for reports, and a reader of pages that minds their structure."""

import random
from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from cai.records import Pair, Prompt, Response, Revision, Row, Split
from cai.store import RunStore
from cai.validation import Annotation, Item, Labels, SamplingPlan, Stratum
from cai.validation.exchange import GivenLabel, keep_labels
from cai.validation.records import item_id
from tests.unit.store_helpers import PLAN, answered, ask, fill, full_row, request, verdict

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """The tags of a page, its ids and visible text. Fails where tags do not match."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.headings: list[int] = []
        self.pieces: list[str] = []
        self.feed(page.decode())
        self.close()
        assert not self.open

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.pieces).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        self.ids.update(value for name, value in attrs if name == "id" and value)
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.pieces.append(data)


def some_rows(hostile: str = "") -> list[tuple[Row, Split]]:
    """Eight of train, two of dev, four held out; the texts of the latter say SECRET."""
    rows: list[tuple[Row, Split]] = []
    for i in range(14):
        split: Split = "train" if i < 8 else "dev" if i < 10 else "held_out"
        secret = "SECRET" if split == "held_out" else ""
        tags = (f"tag{i % 2}", *([hostile] if hostile else []))
        prompt = ask(f"{secret} Question {i}? {hostile}", *tags)
        rows.append((full_row(prompt, f"{secret}old {i} {hostile}", f"{secret}new {i}"), split))
    return rows


def make_run(folder: Path, rows: list[tuple[Row, Split]] | None = None, **facts: Any) -> Path:
    """A finished run with one call."""
    calls = [("a" * 64, request(), answered("Hello."))]
    return fill(folder, some_rows() if rows is None else rows, calls=calls, **facts)


def label(run: Path, choices: Mapping[str, str], kind: str = "human") -> None:
    """Draw all held-out pairs for people, and let some annotators say one thing of all."""
    with RunStore.open(run, durable=False) as store:
        items = [
            Item(item_id(pair.id), row.prompt, pair, row.prompt.id)
            for row, _ in store.rows("held_out")
            for pair in row.pairs
        ]
        plan = SamplingPlan(
            *(PLAN, 7, (Stratum("all", len(items), len(items), ((),)),), len(items)),
            *(len(choices), 1.0, 0.0, False, "A test"),
        )
        labels = Labels(store)
        labels.put_plan(plan, items)
        given = [
            GivenLabel(item.item_id, who, Annotation(choice))  # type: ignore[arg-type]
            for who, choice in choices.items()
            for item in items
        ]
        keep_labels(labels, given, kind)  # type: ignore[arg-type]


def large_row(number: int, length: int) -> Row:
    """Two judged pairs with long answers; every tenth row has a revision that leaked."""
    drawn = random.Random(number)

    def text() -> str:
        return " ".join(f"{drawn.randrange(36**5):x}" for _ in range(length // 7))

    prompt: Prompt = ask(f"Question {number}: {text()}?")
    first, other, last = text(), text(), text()
    outcome = "leaked" if number % 10 == 0 else "revised"
    revision = Revision(1, "p1", outcome, last, text(), last, "", f"c{number}", f"r{number}")  # type: ignore[arg-type]
    said = verdict(drawn.random(), drawn.random(), drawn.choice(("first", "second", "tie")))
    return Row(
        prompt,
        PLAN,
        tuple(Response(t, t, "answered", f"s{number}{i}") for i, t in enumerate((first, other))),
        ((revision,),),
        (
            Pair(prompt.id, "revision", first, last, "sample 0", "sample 0, revision 1", said),
            Pair(prompt.id, "samples", first, other, "sample 0", "sample 1", said),
        ),
    )
