"""The report of a run in a real browser: it asks for nothing, fits, speaks, and nothing acts."""

from __future__ import annotations

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cai.cli.app import app
from cai.hashing import unit_interval
from cai.report import gather, render_html
from cai.store import RunStore
from cai.validation import Action, Annotation, Labels
from tests.unit.report_helpers import label, make_run, some_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.integration, pytest.mark.allow_hosts(["127.0.0.1"])]

HOSTILE = (
    "<script>window.hurt=1</script><img src=x onerror='window.hurt=2'>"
    "</title></style></svg><a href='javascript:window.hurt=3'>go</a> {{7*7}} \x1b[31m \u202egpj "
    "<style>body{display:none}</style> https://example.com/x.png " + "w" * 300
)
SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
IMAGES = Path(__file__).parents[2] / "docs" / "images"
LARGEST = 200_000

OPEN_ALL = "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
WIDE = """() => [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility()
  && !e.closest('.scroll, nav, svg') && e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.outerHTML.slice(0, 120))"""
CHARTS = """() => [...document.querySelectorAll('svg.chart')].map((svg) => ({
  title: svg.querySelector('title')?.textContent,
  desc: svg.querySelector('desc')?.textContent,
  names: svg.getAttribute('aria-labelledby').split(' ').map((id) => document.getElementById(id)
    ?.parentElement === svg),
  smallest: 11 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width,
  outside: [...svg.querySelectorAll('text')].filter((text) => {
    const [a, b] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
    return a.left < b.left - 2 || a.right > b.right + 2;
  }).map((text) => text.textContent),
  table: !!svg.closest('figure').querySelector('details table caption'),
}))"""


def aside(work: Callable[[], Path]) -> Path:
    """Playwright runs an event loop in this thread; what needs one of its own works in another."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.fixture
def opening(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens files, and in the end checks that they asked for nothing and complained of nothing."""
    contexts, problems, asked = [], [], []

    def enter(file: Path, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        return page

    yield enter
    for context in contexts:
        context.close()
    assert problems == []
    assert len(asked) == len(contexts) and all(url.startswith("file:") for url in asked)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with all charts, over texts that are hostile wherever texts can be."""
    folder = tmp_path_factory.mktemp("report")
    constitution: dict[str, Any] = {"name": HOSTILE, "version": "1.0.0", "summary": HOSTILE}
    constitution["principles"] = [{"id": i, "text": HOSTILE} for i in ("p1", "p2", HOSTILE)]
    run = aside(lambda: make_run(folder / "run", some_rows(HOSTILE), constitution=constitution))
    label(run, {"Ada": "second", "Ben": "second"})
    page = folder / "report.html"
    page.write_bytes(render_html(gather(run, draws=100)))
    return page


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_and_every_chart_speaks(
    file: Path, opening: Callable[..., Page], size: str, theme: str
) -> None:
    page = opening(file, viewport=SIZES[size], color_scheme=theme)
    page.evaluate(OPEN_ALL)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= SIZES[size]["width"], page.evaluate(WIDE)
    assert page.evaluate(WIDE) == []
    charts = page.evaluate(CHARTS)
    assert len(charts) >= 9
    for chart in charts:
        assert chart["title"] and chart["desc"] and chart["table"] and all(chart["names"])
        assert chart["outside"] == [] and chart["smallest"] >= 10, chart
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 20, 26)"
    assert dark == (theme == "dark")


def test_hostile_texts_are_inert(file: Path, opening: Callable[..., Page]) -> None:
    page = opening(file)
    page.evaluate(OPEN_ALL)
    assert page.evaluate("window.hurt") is None
    assert page.locator("script, img, iframe, object, [href^=javascript]").count() == 0
    assert page.locator("style").count() == 1 and page.locator("main").is_visible()
    text = page.locator(".turn.user .model-text").first.inner_text()
    assert "<script>window.hurt=1</script>" in text and "{{7*7}} ␛[31m ⟦U+202E⟧gpj" in text
    assert page.title().startswith("<script>")


def test_the_policy_stops_what_is_put_in_later(file: Path, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.hurt = 4";
          document.body.append(script);
          const style = document.createElement("style");
          style.textContent = "main { display: none }";
          document.body.append(style);
        }"""
    )
    assert page.evaluate("window.hurt") is None
    assert page.locator("main").is_visible()
    page.close()


def test_the_keyboard_reaches_the_content(file: Path, opening: Callable[..., Page]) -> None:
    page = opening(file, viewport=SIZES["wide"])
    page.keyboard.press("Tab")
    link = page.locator(".skip-link")
    assert link.evaluate("e => e === document.activeElement") and link.is_visible()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    summary = page.locator("details.transcript summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.transcript .part").first.is_visible()


def test_it_prints_without_its_menu(file: Path, opening: Callable[..., Page]) -> None:
    page = opening(file, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="light")
    assert not page.locator("nav").is_visible()
    assert page.locator("svg.chart").first.is_visible()
    assert page.pdf().startswith(b"%PDF")


def _starter_run(folder: Path) -> Path:
    """Sixty starter prompts on the scripted engine, labelled by a person and by a program."""
    folder.mkdir()
    config = folder / "cai.yaml"
    config.write_text(
        "format: 1\nrun: run\nconstitution: harmless-helpful\nprompts: {path: starter}\n"
        "models: {policy: {engine: transformers, model: smollm2-135m-instruct}}\n"
        "loop: {samples: 2, rounds: 2}\nsplit: {dev: 0.1, held_out: 0.3}\n"
    )
    run = folder / "sixty-prompts"
    made = ["generate", str(config), "--run", str(run), "--limit", "60", "--engine", "scripted"]
    for command in (made, ["validate", "plan", str(run), "--labels", "60"]):
        ended = CliRunner().invoke(app, command)
        assert ended.exit_code == 0, ended.output
    with RunStore.open(run) as store:
        labels = Labels(store)
        for name, kind in (("Ada", "human"), ("Script", "simulated")):
            annotator = labels.add_annotator(name, kind)  # type: ignore[arg-type]
            for item in labels.items():
                drawn = unit_interval(name, item.item_id)
                p = item.pair.p if item.pair.p is not None else 0.5
                choice = "first" if drawn < p else "second"
                said = Annotation(choice, drawn < 0.5, 2, seconds=9.0 + 10 * drawn)  # type: ignore[arg-type]
                action = str(uuid.uuid4()), annotator.id, item.item_id, "label", said, time.time()
                labels.act([Action(*action)])  # type: ignore[arg-type]
    return run


@pytest.mark.skipif("CAI_SCREENSHOTS" not in os.environ, reason="CAI_SCREENSHOTS is not set")
def test_pictures(tmp_path: Path, opening: Callable[..., Page]) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    file = tmp_path / "report.html"
    file.write_bytes(render_html(gather(aside(lambda: _starter_run(tmp_path / "made")))))
    for name, height in (("wide", 1190), ("phone", 1200)):
        page = opening(file, viewport={**SIZES[name], "height": height})
        path = IMAGES / f"report-{name}.png"
        page.screenshot(path=path)
        assert path.stat().st_size < LARGEST
