"""What the stages of a pipeline do, on standard error."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cai.cli.output import error_console, safe
from cai.cli.running import watch
from cai.pipeline import Watcher

if TYPE_CHECKING:
    from cai.loop import Generation
    from cai.pipeline import Stage

__all__ = ["Printing"]

_SECONDS_BETWEEN_LINES = 10.0


class Printing(Watcher):
    """Headings of stages, and at most a line every ten seconds of what has no lines of its own."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._done: dict[str, int] = {}

    def heading(self, stage: Stage, number: int, total: int, why: str) -> None:
        """A stage begins."""
        self._done.clear()
        self._print(f"\n== {stage.name} ({number} of {total}): {why}", style="bold")

    def left(self, stage: Stage, number: int, total: int, why: str) -> None:
        """A stage is left as it is."""
        self._print(f"== {stage.name} ({number} of {total}): left as it is, {why}")

    def say(self, text: str) -> None:
        """A line of a training or of a sample that is drawn."""
        self._print(text)

    def rows(self, rows: int) -> None:
        """Rows that were checked."""
        if rows and self._due():
            self._print(f"Checked {rows:,} rows …")

    def tick(self, step: str, total: int) -> None:
        """Answers of an evaluation."""
        done = self._done[step] = self._done.get(step, 0) + 1
        if self._due(done == total):
            self._print(f"{step}: {done:,} of {total:,}")

    def generate(self, run: Generation) -> None:
        """A generation with a bar on a terminal, or lines elsewhere."""
        watch(run)

    def _due(self, now: bool = False) -> bool:
        due = now or time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES
        if due:
            self._said = time.monotonic()
        return due

    def _print(self, text: str, style: str | None = None) -> None:
        error_console().print(safe(text), style=style, soft_wrap=True)
