"""How far it is with asking a judge, on standard error."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from rich.progress import Progress

    from cai.engines.memo import Meter

__all__ = ["CallProgress"]

_SECONDS_BETWEEN_LINES = 10.0


class CallProgress:
    """A live line on a terminal, a plain one every ten seconds elsewhere; on standard error."""

    _spins: ClassVar[bool] = False

    def __init__(self, total: int, meter: Meter) -> None:
        self._total = total
        self._meter = meter
        self._bar: Progress | None = None
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        from cai.cli.output import error_console, is_terminal

        if is_terminal():
            from rich.progress import BarColumn, SpinnerColumn, TextColumn
            from rich.progress import Progress as Bar

            spinner = (SpinnerColumn(),) if self._spins else ()
            columns = (*spinner, BarColumn(), TextColumn("{task.description}"))
            self._bar = Bar(*columns, console=error_console())
            self._bar.start()
            self._bar.add_task("Loading the models …", total=self._total)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _tell(self, done: int, what: str) -> None:
        """Say what is done, and how many calls that took."""
        from cai.cli.output import error_console

        line, now = f"{what} · {self._meter.asked:,} calls", time.monotonic()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, description=line)
        elif done == self._total or now - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = now
            error_console().print(line, soft_wrap=True)
