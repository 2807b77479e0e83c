"""Pictures for the documentation; taken only when CAI_SCREENSHOTS is set."""

from __future__ import annotations

import os
import random
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cai.store import RunStore
from cai.validation import Action, Annotation, Item, Labels
from tests.browser.content import CONSTITUTION, make_items, make_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.driving import Annotator, Server

pytestmark = [
    pytest.mark.integration,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.skipif("CAI_SCREENSHOTS" not in os.environ, reason="CAI_SCREENSHOTS is not set"),
]

IMAGES = Path(__file__).parents[2] / "docs" / "images"
LARGEST = 150_000
DESKTOP = {"width": 1280, "height": 860}
NOTES = ("Says why, and what to do next.", "Long, but it never answers.", "")


def save(annotator: Annotator, name: str, *, whole: bool = False) -> None:
    path = IMAGES / f"review-{name}.png"
    annotator.page.screenshot(path=path, full_page=whole)
    assert path.stat().st_size < LARGEST


def label(labels: Labels, names: list[str], items: list[Item]) -> None:
    """Labels by programs that mostly agree."""
    drawn = random.Random(5)
    ids = [principle["id"] for principle in CONSTITUTION["principles"]]
    for place, name in enumerate(names):
        annotator = labels.add_annotator(name, "simulated")
        for number, item in enumerate(items[: len(items) - 14 * place]):
            usual = ("first", "second", "tie")[number % 7 // 3]
            choice = usual if drawn.random() < 0.88 and number else ("first", "second")[place % 2]
            said = Annotation(
                *(choice, drawn.random() < 0.5, drawn.choice((2, 3, 3)), ids[number % 4]),
                NOTES[place],
                flagged=drawn.random() < 0.02,
                seconds=drawn.uniform(9, 24),
            )
            action = Action(
                *(str(uuid.uuid4()), annotator.id, item.item_id, "label", said, time.time())
            )
            labels.act([action])


def test_pictures(
    tmp_path: Path, serving: Callable[..., Server], annotating: Callable[..., Annotator]
) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    items = make_items(80)
    run = make_run(tmp_path / "run", items, ask_refusals=True)
    with RunStore.open(run) as store:
        label(Labels(store), ["Ada", "Ben", "Chidi"], items[1:])
        label(Labels(store), ["Ada", "Ben"], items[:1])
    server = serving(run, "--practice", "none", "--adjudicator", "Dana", "--annotator", "Eve")
    for theme in ("light", "dark"):
        eve = annotating(server.links["Eve"], viewport=DESKTOP, color_scheme=theme)
        eve.wait_for("Pair 1 of 80")
        eve.press(eve.side_of("Probably"))
        eve.press("3")
        eve.page.locator("#principle").select_option("helpfulness.answer-the-question")
        save(eve, theme)
    eve = annotating(server.links["Eve"], viewport={"width": 360, "height": 780})
    eve.wait_for("Pair 1 of 80")
    save(eve, "phone")
    eve.page.goto(f"{server.url}/dashboard")
    eve.page.set_viewport_size({"width": 1000, "height": 800})
    eve.page.locator(".interval").first.wait_for()
    save(eve, "dashboard", whole=True)
    dana = annotating(server.links["Dana"], viewport=DESKTOP)
    dana.wait_for("Dispute 1 of")
    save(dana, "adjudicate")
