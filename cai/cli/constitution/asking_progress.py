"""How far it is with asking about every principle, on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.cli.constitution.call_progress import CallProgress
from cai.wording import counted

if TYPE_CHECKING:
    from cai.engines.memo import Meter
    from cai.loop.asked_principles import AskedPair

__all__ = ["AskingProgress"]


class AskingProgress(CallProgress):
    """Counts pairs, and says why one was not judged."""

    def __init__(self, total: int, meter: Meter) -> None:
        super().__init__(total, meter)
        self._done = self._failed = 0

    def show(self, one: AskedPair) -> None:
        """Count a pair, and tell how far it is."""
        from cai.cli.output import error_console, plain

        self._done += 1
        if one.problem:
            self._failed += 1
            error_console().print(f"Pair {one.pair_id}: {plain(one.problem)}", soft_wrap=True)
        failed = f", {self._failed:,} failed" if self._failed else ""
        self._tell(self._done, f"{self._done:,} of {counted(self._total, 'pair')}{failed}")
