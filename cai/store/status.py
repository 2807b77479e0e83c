"""How far a run is: what `cai status` says, as plain records."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.store.connect import locked_since
from cai.store.gate import gate_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.records import Split
    from cai.store.facts import Spent, StageTotals, StoredBatch
    from cai.store.run import RunStore

__all__ = ["Pace", "RunStatus", "run_status"]

_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What was done per minute, over the last `seconds` (60, or fewer since the start)."""

    seconds: float
    rows: float
    calls: float
    tokens: float


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One look at a run.

    `rows` counts rows by split and status; `waiting` are prompts that have been read and have no
    row yet. `total` is the number of different prompts that the run is to see, None when it is not
    known, as for a shard. `started` (Unix seconds) and `pace` are None when no process is at work,
    and `seconds_left` when there is no pace or no total. `validation` says whether people have
    checked the labels, as manifests do.
    """

    run: str
    constitution: str
    created: str | None
    shard: str | None
    started: float | None
    seconds_at_work: float
    rows: Mapping[Split, Mapping[str, int]]
    total: int | None
    stages: tuple[StageTotals, ...]
    spent: Spent
    budget_usd: float | None
    budget_tokens: int | None
    pace: Pace | None
    seconds_left: float | None
    batches: tuple[StoredBatch, ...]
    validation: Mapping[str, Any]

    def count(self, status: str) -> int:
        """How many rows have a status, over all splits."""
        return sum(counts.get(status, 0) for counts in self.rows.values())


def run_status(store: RunStore, now: float | None = None) -> RunStatus:
    """Look at a run, while a process works on it or after.

    Args:
        store: the run, opened for reading.
        now: in Unix seconds; the present when absent.
    """
    now = time.time() if now is None else now
    started = locked_since(store.folder)
    config = store.meta("config") or {}
    runtime = config.get("runtime") or {}
    constitution = store.meta("constitution") or {}
    rows: dict[Split, dict[str, int]] = {}
    for (split, status), count in sorted(store.row_counts().items()):
        rows.setdefault(split, {})[status] = count
    total = _total(store, config)
    pace = None if started is None else _pace(store, started, now)
    finished = sum(counts.get(s, 0) for counts in rows.values() for s in ("done", "failed"))
    left = None
    if pace and pace.rows and total is not None:
        left = 60.0 * max(total - finished, 0) / pace.rows
    work = store.meta("seconds") or 0.0
    return RunStatus(
        run=str(store.folder),
        constitution=f"{constitution.get('name', '')}@{constitution.get('version', '')}",
        created=store.meta("created"),
        shard=store.meta("shard"),
        started=started,
        # What this start has worked is only written down when it ends.
        seconds_at_work=work + (max(now - started, 0.0) if started is not None else 0.0),
        rows=rows,
        total=total,
        stages=tuple(store.totals()),
        spent=store.spent(),
        budget_usd=runtime.get("budget_usd"),
        budget_tokens=runtime.get("budget_tokens"),
        pace=pace,
        seconds_left=left,
        batches=tuple(store.open_batches()),
        validation=gate_facts(store),
    )


def _total(store: RunStore, config: Mapping[str, Any]) -> int | None:
    unique = (store.meta("prompts") or {}).get("unique")
    if unique is None or store.meta("shard"):
        return None
    limit = (config.get("prompts") or {}).get("limit")
    return int(unique if limit is None else min(unique, limit))


def _pace(store: RunStore, started: float, now: float) -> Pace:
    # At least a second, so that the first look does not divide by nearly nothing.
    seconds = min(_WINDOW_S, max(now - started, 1.0))
    recent = store.since(now - seconds)
    per_minute = 60.0 / seconds
    return Pace(
        seconds=seconds,
        rows=recent.rows * per_minute,
        calls=recent.calls * per_minute,
        tokens=recent.tokens * per_minute,
    )
