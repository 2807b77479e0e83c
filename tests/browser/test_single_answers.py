"""A reported answer stands alone: it is good or not, and the page says why people are asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cai.feedback import import_feedback
from cai.store import RunStore
from cai.validation import Labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser.driving import Annotator, Server

pytestmark = [pytest.mark.integration, pytest.mark.allow_hosts(["127.0.0.1"])]

ROW = {
    "kind": "report",
    "prompt": "Is the moon made of cheese?",
    "answer": "Yes, it is.",
    "category": "untrue",
    "note": "<img src=x onerror=alert(1)> No!",
    "time": "2026-10-05T08:00:00Z",
    "user": "ada",
    "session": "s",
    "model": "m",
}


def test_a_reported_answer_is_labelled_by_keys(
    tmp_path: Path, serving: Callable[..., Server], annotating: Callable[..., Annotator]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    import_feedback([path], tmp_path / "out")
    server = serving(tmp_path / "out", "--practice", "none", "--annotator", "Ada")
    ada = annotating(server.links["Ada"])
    ada.wait_for("Pair 1 of 1")
    page = ada.page
    assert page.locator("#answer-b").is_hidden()
    assert page.locator("#about").inner_text() == f"Reported. untrue: {ROW['note']}"
    shown = {
        button.get_attribute("data-choice"): button.inner_text().split("\n")[0].strip()
        for button in page.locator("[data-choice]").all()
        if button.is_visible()
    }
    assert {key: text.split()[0] for key, text in shown.items()} == {
        "a": "Good",
        "both_bad": "Not",
        "skip": "Skip",
    }
    for key in ("b", "t"):  # keys without a button do nothing
        ada.press(key)
        assert page.locator("#submit").is_disabled()
    ada.press("n")
    ada.press("Enter")
    page.locator("#finished").wait_for(state="visible")
    server.stop()
    with RunStore.read(tmp_path / "out") as store:
        ((_, said),) = Labels(store).current().items()
    assert said.annotation.choice == "both_bad"
