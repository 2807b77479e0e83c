"""Progress over rows, on standard error."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

__all__ = ["RowProgress"]

_SECONDS_BETWEEN_LINES = 10.0


class RowProgress:
    """Context manager: shows how many rows are done when it is called, where that can be drawn."""

    def __init__(self, verb: str) -> None:
        """Take what happens to the rows, such as `Checked`."""
        self._verb = verb
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        from rich.progress import Progress, TextColumn

        from cai.cli.output import error_console, is_terminal

        self._progress = Progress(
            TextColumn("{task.description}"),
            console=error_console(),
            transient=True,
            disable=not is_terminal(),
        )
        self._progress.start()
        self._task = self._progress.add_task("Reading …", total=None)
        return self

    def __call__(self, rows: int) -> None:
        """Show the number of rows."""
        self._progress.update(self._task, description=f"{self._verb} {rows:,} rows …")

    def say(self, text: str) -> None:
        """Show a text in place of the rows; where nothing is drawn, a line now and then."""
        self._progress.update(self._task, description=text)
        if self._progress.disable and time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            self._progress.console.print(text, soft_wrap=True)

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()
