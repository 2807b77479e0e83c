"""Text that models wrote is shown as text, whatever is in it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.browser.content import hostile_item, make_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser.driving import Annotator, Server

pytestmark = [pytest.mark.integration, pytest.mark.allow_hosts(["127.0.0.1"])]

OVERRIDE, ISOLATE, ARABIC = "\u202e", "\u2067", "\u0645\u0631\u062d\u0628\u0627"
# What is in the store, and what is to be read on the page.
TEXTS = [
    ("<script>window.hurt = 1</script>", "<script>window.hurt = 1</script>"),
    ("<img src=x onerror='window.hurt = 2'>", "<img src=x onerror='window.hurt = 2'>"),
    ("<a href='javascript:window.hurt=3'>go</a> javascript:alert(1)", "javascript:alert(1)"),
    ("\x1b[31mred\x1b]0;title\x07\x9b2J", "␛[31mred␛]0;title␇⟦U+009B⟧2J"),
    (f"user{OVERRIDE}gpj.exe{ISOLATE}", "user⟦U+202E⟧gpj.exe⟦U+2067⟧"),
    ("nul\x00byte\x7f", "nul␀byte␡"),
    ("{{7*7}} ${7*7} <%= 7*7 %> {% raw %}", "{{7*7}} ${7*7} <%= 7*7 %> {% raw %}"),
    ("</div></section><style>body{display:none}</style>", "<style>body{display:none}</style>"),
    ("  two  spaces\n\n\tand a tab", "  two  spaces\n\n\tand a tab"),
    (f"{ARABIC} abc", f"{ARABIC} abc"),
    ("tag\U000e0041 zero\u200bwidth\ufeff", "tag⟦U+E0041⟧ zero⟦U+200B⟧width⟦U+FEFF⟧"),
    ("https://example.com/picture.png", "https://example.com/picture.png"),
]


def hostile_side(annotator: Annotator) -> str:
    a = annotator.page.locator("#answer-a .text").text_content()
    return "b" if a == "Fine." else "a"


def test_hostile_texts_are_inert(
    tmp_path: Path, serving: Callable[..., Server], annotating: Callable[..., Annotator]
) -> None:
    items = [hostile_item(number, text) for number, (text, _) in enumerate(TEXTS)]
    server = serving(make_run(tmp_path / "run", items), "--practice", "none", "--annotator", "Ada")
    ada = annotating("about:blank")
    asked: list[str] = []
    ada.page.on("request", lambda request: asked.append(request.url))
    ada.page.goto(server.links["Ada"])
    for number, (_, shown) in enumerate(TEXTS):
        ada.wait_for(f"Pair {number + 1} of {len(TEXTS)}")
        side = hostile_side(ada)
        answer = ada.page.locator(f"#answer-{side} .text")
        assert shown in (answer.text_content() or "")
        assert shown in answer.inner_text()
        assert answer.is_visible()
        # Nothing but our own blocks of text.
        assert answer.locator("*").count() == answer.locator("div.model-text[dir=auto]").count()
        assert ada.page.locator("a[href^='javascript'], #work img, #work script").count() == 0
        style = answer.locator(".model-text").evaluate(
            "e => [getComputedStyle(e).unicodeBidi, getComputedStyle(e).whiteSpace]"
        )
        assert style == ["plaintext", "pre-wrap"]
        ada.press("t")
        ada.press("t")
    ada.page.locator("#finished-heading").wait_for()
    assert ada.page.evaluate("window.hurt") is None
    assert ada.problems == []
    assert all(url.startswith(server.url) for url in asked), asked


def test_long_texts_do_not_freeze_the_page(
    tmp_path: Path, serving: Callable[..., Server], annotating: Callable[..., Annotator]
) -> None:
    lines = "".join(f"line {number} \x1b[1m of many\n" for number in range(50_000))
    items = [hostile_item(0, lines), hostile_item(1, "😀" * 300_000), hostile_item(2, "short")]
    assert len(lines) > 1_000_000
    server = serving(make_run(tmp_path / "run", items), "--practice", "none", "--annotator", "Ada")
    ada = annotating(server.links["Ada"])
    for number, last in ((1, "line 49999 ␛[1m of many"), (2, "😀😀")):
        ada.wait_for(f"Pair {number} of 3")
        side = hostile_side(ada)
        answer = ada.page.locator(f"#answer-{side} .text")
        assert len(answer.text_content() or "") < 50_000
        began = time.monotonic()
        ada.page.locator(f"#answer-{side} .show-all").click()
        ada.page.wait_for_function(
            "([side, last]) => document.querySelector(`#answer-${side} .text`)"
            ".textContent.trimEnd().endsWith(last)"
            " && !document.querySelector(`#answer-${side} .show-all`)",
            arg=[side, last],
        )
        assert time.monotonic() - began < 10
        assert "\ufffd" not in (answer.text_content() or "")
        # The page still answers to keys at once.
        ada.press("t")
        ada.press("t")
    # A long text that is still being drawn does not run into the next pair.
    ada.wait_for("Pair 3 of 3")
    ada.press("u")
    ada.wait_for("Pair 2 of 3")
    ada.page.locator(f"#answer-{hostile_side(ada)} .show-all").click()
    ada.press("t")
    ada.press("t")
    ada.wait_for("Pair 3 of 3")
    time.sleep(0.5)
    texts = {ada.page.locator(f"#answer-{side} .text").text_content() for side in "ab"}
    assert texts == {"short", "Fine."}
    timings = ada.timings()
    assert max(timings) < 1000, timings
    assert ada.problems == []
