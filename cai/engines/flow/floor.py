"""The bound on calls under way, over all models of a run."""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["Floor"]

_STEP_S, _LONGEST_RAMP_S = 0.001, 0.25


class Line(Protocol):
    """Calls that wait for a place."""

    def first(self) -> tuple[int, int] | None:
        """The place in the order of the call that would go next, or None when none can go."""
        ...

    def admit(self) -> None:
        """Let that call go."""
        ...


class Floor:
    """Gives out a fixed number of places; who came first goes first, and retries before all.

    A call that cannot go yet (its address is full, or at its limit per minute) lets calls of other
    models pass.

    The places are opened one after the other, a millisecond apart. Calls that are all sent at once
    are all answered at once, and so are those that follow from them, for as long as the run goes:
    their answers then wait for each other before they are on disk, and a crash loses them.
    """

    def __init__(self, places: int) -> None:
        """Begin empty."""
        self.places = places
        self.free = 1
        self._closed = places - 1
        self._step = min(_STEP_S, _LONGEST_RAMP_S / places)
        self._opening_since: float | None = None
        self._lines: list[Line] = []
        self._sequence = 0

    def join(self, line: Line) -> None:
        """Add the calls of a model."""
        self._lines.append(line)

    def number(self) -> int:
        """The next number in the order of arrival."""
        self._sequence += 1
        return self._sequence

    def leave(self) -> None:
        """Give a place back."""
        self.free += 1
        self.fill()

    def fill(self) -> None:
        """Let waiting calls go while there are places."""
        if self._closed and self._opening_since is None:
            loop = asyncio.get_running_loop()
            self._opening_since = loop.time()
            loop.call_later(self._step, self._open_more)
        while self.free > 0:
            ready = [(place, line) for line in self._lines if (place := line.first()) is not None]
            if not ready:
                return
            self.free -= 1
            min(ready, key=lambda pair: pair[0])[1].admit()

    def _open_more(self) -> None:
        """Open the places whose time has come; timers are not as exact as a step is short."""
        loop = asyncio.get_running_loop()
        assert self._opening_since is not None
        due = int((loop.time() - self._opening_since) / self._step)
        more = min(self._closed, max(1, due - (self.places - 1 - self._closed)))
        self._closed -= more
        self.free += more
        if self._closed:
            loop.call_later(self._step, self._open_more)
        self.fill()
