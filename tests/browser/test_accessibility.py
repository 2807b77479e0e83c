"""Names, focus, live regions, contrast, small screens, and work without single keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.content import make_items, make_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.driving import Annotator, Server

pytestmark = [pytest.mark.integration, pytest.mark.allow_hosts(["127.0.0.1"])]

# The colours of every visible text, and of what lies behind it.
COLOURS = """() => {
  const found = [];
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    const box = element.getBoundingClientRect();
    const disabled = element.closest(":disabled");
    if (!text || disabled || box.width < 2 || !element.checkVisibility()) continue;
    found.push([text.slice(0, 30), getComputedStyle(element).color, behind(element)]);
  }
  return found;
}"""
NAMELESS = """() => [...document.querySelectorAll(
  "button, a[href], input, select, textarea, [role=region], section, nav, dialog, progress"
)].filter((e) => e.checkVisibility() && !(e.ariaLabel || e.textContent.trim() || e.labels?.length
  || e.getAttribute("aria-labelledby"))).map((e) => e.outerHTML.slice(0, 100))"""


def luminance(colour: str) -> float:
    channels = [float(number) / 255 for number in re.findall(r"[\d.]+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def check_page(page: Page) -> None:
    assert page.evaluate(NAMELESS) == []
    found: list[Any] = page.evaluate(COLOURS)
    assert len(found) > 5
    poor = [f for f in found if contrast(f[1], f[2]) < 4.5]
    assert poor == []
    assert page.locator("main").count() == page.locator("header").count() == 1
    assert page.locator("h1:visible").count() == 1
    assert page.evaluate("document.documentElement.lang") == "en"
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 0


def test_pages_can_be_read_in_both_themes_and_on_a_phone(
    tmp_path: Path, serving: Callable[..., Server], annotating: Callable[..., Annotator]
) -> None:
    run = make_run(tmp_path / "run", make_items(3), ask_refusals=True)
    server = serving(run, "--annotator", "Ada", "--adjudicator", "Judy")
    sizes = ({"width": 1280, "height": 800}, {"width": 360, "height": 780})
    for theme, size in zip(("light", "dark"), sizes, strict=True):
        ada = annotating(server.url, color_scheme=theme, viewport=size, reduced_motion="reduce")
        check_page(ada.page)
        assert ada.page.evaluate("document.activeElement.id") == "name"
        ada.page.goto(server.links["Ada"])
        ada.wait_for("Practice 1 of 6")
        check_page(ada.page)
        for path in ("/guideline", "/dashboard", "/no-such-page"):
            ada.page.goto(server.url + path)
            check_page(ada.page)
        ada.page.goto(server.url + "/label")
        ada.wait_for("Practice 1 of 6")
        for key, dialog in (("g", "guideline"), ("?", "help")):
            ada.press(key)
            assert ada.page.locator(f"#{dialog}").is_visible()
            assert ada.page.evaluate(NAMELESS) == []
            ada.press("t")  # means nothing while the window is open
            ada.press("Escape")
            assert not ada.page.locator(f"#{dialog}").is_visible()
        assert ada.page.locator("[data-choice][aria-pressed=true]").count() == 0
        before = ada.page.evaluate("getComputedStyle(document.body).backgroundColor")
        ada.page.locator("#theme").click()
        assert ada.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
        check_page(ada.page)
        ada.page.reload()
        ada.wait_for("Practice 1 of 6")
        assert ada.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
        assert [p for p in ada.problems if "404" not in p] == []


def test_focus_and_status_follow_the_work(
    tmp_path: Path, serving: Callable[..., Server], annotating: Callable[..., Annotator]
) -> None:
    items = make_items(4)
    run = make_run(tmp_path / "run", items, ask_refusals=True)
    ada = annotating(serving(run, "--annotator", "Ada").links["Ada"])
    page = ada.page
    ada.wait_for("Practice 1 of 6")
    assert page.evaluate("document.activeElement.id") == "heading"
    for number in range(6):
        ada.wait_for(f"Practice {number + 1} of 6")
        ada.press("n")
        ada.press("Enter")
        page.locator("#feedback").wait_for()
        assert page.evaluate("document.activeElement.id") == "feedback-text"
        ada.press("Enter")
    ada.wait_for("Pair 1 of 4")
    assert page.evaluate("document.activeElement.id") == "heading"
    status = page.locator("#saved")
    assert status.get_attribute("role") == "status"
    assert status.get_attribute("aria-live") == "polite"

    for key in ("a", "2", "f", "Shift+B"):
        ada.press(key)
    pressed = page.locator("[aria-pressed=true]")
    assert [text.split()[0] for text in pressed.all_inner_texts()] == ["A", "Fairly", "B", "Flag"]
    ada.press("p")
    assert page.evaluate("document.activeElement.id") == "principle"
    page.locator("#principle").select_option("honesty.true-facts")
    ada.press("Escape")
    ada.press("m")
    page.keyboard.type("b is not bad, 3 reasons")
    ada.press("Control+Enter")
    ada.wait_for("Pair 2 of 4")
    assert page.evaluate("document.activeElement.id") == "heading"
    assert page.locator("[aria-pressed=true]").count() == 0
    ada.wait_until_saved()

    # Back after a reload: the label is taken back, and shown as it was.
    page.reload()
    ada.wait_for("Pair 2 of 4")
    ada.press("u")
    ada.wait_for("Pair 1 of 4")
    assert [text.split()[0] for text in pressed.all_inner_texts()] == ["A", "Fairly", "B", "Flag"]
    assert page.locator("#principle").input_value() == "honesty.true-facts"
    assert page.locator("#note").input_value() == "b is not bad, 3 reasons"
    ada.press("u")
    ada.wait_for("Practice 6 of 6")
    ada.press("t")
    ada.press("t")
    page.locator("#feedback").wait_for()
    ada.press("Enter")
    ada.wait_for("Pair 1 of 4")

    # Everything also works without single keys, by tabulator and Enter.
    ada.press("?")
    page.locator("#single-keys").uncheck()
    ada.press("Escape")
    ada.press("t")
    assert page.locator("[aria-pressed=true]").count() == 0
    page.locator("[data-choice=tie]").focus()
    ada.press("Enter")
    assert page.locator("[aria-pressed=true]").count() == 1
    page.locator("#submit").focus()
    ada.press("Enter")
    ada.wait_for("Pair 2 of 4")
    # After a click by mouse, Enter submits and does not press the button again.
    page.locator("[data-dialog=help]").click()
    page.locator("#single-keys").check()
    ada.press("Escape")
    page.locator("[data-choice=b]").click()
    page.locator("#flag").click()
    ada.press("Enter")
    ada.wait_for("Pair 3 of 4")
    assert ada.problems == []
