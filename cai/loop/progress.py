"""What a run is doing, for whoever watches."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from cai.engines.memo import Meter

__all__ = ["Progress"]


@dataclass(slots=True)
class Progress:
    """Live counts of one start of a run; read it at any time.

    `total` is the number of different prompts if known. `before` rows were done by earlier
    starts. `done` and `failed` rows are of this one, and `reasons` counts why rows failed.
    `repeated` prompts were read more than once.
    """

    total: int | None = None
    before: int = 0
    done: int = 0
    failed: int = 0
    repeated: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    meter: Meter = field(default_factory=Meter)
    started: float = field(default_factory=time.monotonic)

    @property
    def finished(self) -> int:
        """Rows done or given up, by this start and those before."""
        return self.before + self.done + self.failed

    @property
    def seconds(self) -> float:
        """Since the first prompt was read."""
        return time.monotonic() - self.started

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens per second, over this start."""
        return self.meter.completion_tokens / max(self.seconds, 1e-9)

    @property
    def eta_seconds(self) -> float | None:
        """Seconds that the rest takes at the pace so far; None while there is no pace."""
        now = self.done + self.failed
        if self.total is None or not now:
            return None
        return self.seconds / now * max(self.total - self.finished, 0)
