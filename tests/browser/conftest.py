"""A browser for all tests, and a server for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.driving import ARGUMENTS, CHROMIUM, Annotator, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def serving() -> Iterator[Callable[..., Server]]:
    """Starts servers, and stops them in the end."""
    servers: list[Server] = []

    def start(run: Path, *options: str) -> Server:
        server = Server(run, *options)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def annotating(browser: Browser) -> Iterator[Callable[..., Annotator]]:
    """Opens a browser of its own for an annotator, and checks what the page complained of."""
    contexts = []

    def enter(link: str, script: str = "", **options: Any) -> Annotator:
        context = browser.new_context(**options)
        context.add_init_script(script)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        annotator = Annotator(page)
        page.on("pageerror", lambda error: annotator.problems.append(str(error)))
        page.on("dialog", lambda dialog: annotator.problems.append(f"dialog {dialog.message}"))
        page.on("console", annotator.hear)
        page.goto(link)
        return annotator

    yield enter
    for context in contexts:
        context.close()
