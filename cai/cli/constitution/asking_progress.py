"""How far it is with asking about every principle, on standard error."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from cai.wording import counted

if TYPE_CHECKING:
    from rich.progress import Progress

    from cai.engines.memo import Meter
    from cai.loop.asked_principles import AskedPair

__all__ = ["AskingProgress"]

_SECONDS_BETWEEN_LINES = 10.0


class AskingProgress:
    """A live line on a terminal, a plain one every ten seconds elsewhere; on standard error."""

    def __init__(self, total: int, meter: Meter) -> None:
        self._total = total
        self._meter = meter
        self._done = self._failed = 0
        self._bar: Progress | None = None
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        from cai.cli.output import error_console, is_terminal

        if is_terminal():
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(BarColumn(), TextColumn("{task.description}"), console=error_console())
            self._bar.start()
            self._bar.add_task("Loading the models …", total=self._total)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, one: AskedPair) -> None:
        """Count a pair, and tell how far it is."""
        from cai.cli.output import error_console, plain

        self._done += 1
        if one.problem:
            self._failed += 1
            error_console().print(f"Pair {one.pair_id}: {plain(one.problem)}", soft_wrap=True)
        failed = f", {self._failed:,} failed" if self._failed else ""
        pairs = f"{self._done:,} of {counted(self._total, 'pair')}{failed}"
        line, now = f"{pairs} · {self._meter.asked:,} calls", time.monotonic()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done, description=line)
        elif self._done == self._total or now - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = now
            error_console().print(line, soft_wrap=True)
