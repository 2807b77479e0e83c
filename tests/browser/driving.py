"""A real server, a real browser, and an annotator who uses the keyboard alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# The sandbox of Chromium does not work for root, as whom containers run.
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage"]
KEYS = {"tie": "t", "both_bad": "n", "skip": "s"}


class Server:
    """`cai review` in a process of its own. A second start takes the port of the first."""

    def __init__(self, run: Path, *options: str) -> None:
        self.run = run
        self.options = options
        self.port = 0
        self.links: dict[str, str] = {}
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "cai", "review", str(self.run), "--port", str(self.port)]
        command += ["--kind", "simulated", *self.options]
        # Whoever starts the tests in the background has SIGINT ignored; the server sets its own.
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        for line in self.process.stdout:
            if found := re.match(r"  (.+?)(?: \(adjudicator\))?\s+(http://\S+)$", line.rstrip()):
                self.links[found[1].strip()] = found[2]
            if line.startswith("Ctrl-C"):
                break
        else:
            raise AssertionError(self.process.communicate()[1])
        self.port = int(self.links["Sign in"].rstrip("/").rpartition(":")[2])

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.communicate()

    def stop(self) -> str:
        """End it as Ctrl-C does; returns what it wrote on standard error."""
        if self.process is None or self.process.returncode is not None:
            return ""
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, errors
        assert "Stopped. All labels are stored." in output
        return errors


class Annotator:
    """Reads the page, presses keys, and counts them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.presses: Counter[str] = Counter()
        self.problems: list[str] = []

    def hear(self, message: Any) -> None:
        # A server that is down is part of the tests.
        if message.type in ("error", "warning") and "ERR_CONNECTION" not in message.text:
            self.problems.append(message.text)

    def press(self, key: str) -> None:
        self.presses[key] += 1
        self.page.keyboard.press(key)

    def heading(self) -> str:
        return self.page.locator("#heading").inner_text()

    def wait_for(self, heading: str) -> None:
        self.page.wait_for_function(
            "text => document.getElementById('heading')?.textContent.startsWith(text)", arg=heading
        )

    def wait_until_saved(self) -> None:
        self.page.wait_for_function(
            "() => document.getElementById('saved').textContent === 'saved' && "
            "!Object.keys(localStorage).some((name) => name.includes(':out:'))"
        )

    def side_of(self, text: str) -> str:
        """The key of the answer that begins with `text`."""
        a = self.page.locator("#answer-a .text").inner_text()
        return "a" if a.startswith(text) else "b"

    def question(self) -> str:
        return self.page.locator(".turn-user .text").last.inner_text()

    def timings(self) -> list[float]:
        found: list[float] = self.page.evaluate("window.caiTimings")
        return found


def wanted_key(annotator: Annotator, item: Any, choice: str) -> str:
    """The key that means `choice` of the pair for the order on the screen."""
    if choice in KEYS:
        return KEYS[choice]
    text = item.pair.first if choice == "first" else item.pair.second
    return annotator.side_of(text[:20])
