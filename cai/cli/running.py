"""Carrying out a run from the command line: live progress, then the export and a table."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.loop import Generation, Progress
    from cai.store.export import ExportResult

__all__ = ["carry_out", "duration", "print_result", "progress_line", "watch"]

_SECONDS_BETWEEN_LINES = 10.0


def carry_out(run: Generation) -> ExportResult:
    """Run to the end with progress on standard error, then write the exports.

    Raises:
        CaiError: as `Generation.stream` and `Generation.export`.
    """
    watch(run)
    return run.export()


def watch(run: Generation) -> None:
    """Run to the end with progress on standard error.

    A live bar on a terminal, a plain line every ten seconds elsewhere.

    Raises:
        CaiError: as `Generation.stream`.
    """
    from cai.cli.output import error_console, is_terminal

    _tune_interpreter()
    if is_terminal():
        from rich.progress import BarColumn, SpinnerColumn, TextColumn
        from rich.progress import Progress as Bar

        columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"))
        with Bar(*columns, console=error_console()) as bar:
            task = bar.add_task("Loading the models …", total=None)

            def draw(line: str) -> None:
                done, total = run.progress.finished, run.progress.total
                bar.update(task, description=line, completed=done, total=total)

            asyncio.run(_watch(run, draw, every=0.5))
    else:
        console = error_console()
        asyncio.run(
            _watch(run, lambda line: console.print(line, soft_wrap=True), _SECONDS_BETWEEN_LINES)
        )


def print_result(run: Generation, result: ExportResult) -> None:
    """Print what the whole run has come to, what it cost, and the files that were written."""
    from cai.cli.costs import cost_lines, print_costs
    from cai.cli.tables import print_files, print_heading, print_table, print_text, summary_lines
    from cai.store import RunStore

    with RunStore.read(run.folder) as store:
        totals, seconds = store.totals(), store.meta("seconds") or 0.0
    counts, progress = result.summary, run.progress
    generated = sum(total.completion_tokens for total in totals)
    read = sum(total.prompt_tokens for total in totals)
    cached = sum(total.cached_tokens for total in totals)
    print_heading(f"Run {run.folder}")
    print_table(
        ("What", "How much"),
        [
            ("Rows", f"{counts.rows:,} done, {progress.failed:,} failed"),
            ("Calls", f"{sum(total.calls for total in totals):,}"),
            ("Tokens", f"{generated:,} generated, {read:,} read ({cached:,} of them reused)"),
            ("Seconds", f"{seconds:,.0f} at work, all starts together"),
            *cost_lines(result.spending),
            *summary_lines(counts),
        ],
    )
    print_costs(result.spending)
    for reason, times in progress.reasons.most_common(1):
        print_text(f"Commonest failure ({times:,} of {progress.failed:,}): {reason}")
    print_heading("Files written")
    print_files(result)


def progress_line(progress: Progress) -> str:
    """Rows done, tokens per second, failures and the time left, in one line."""
    finished = progress.finished
    parts = [f"{finished}/{progress.total} rows"]
    if progress.before:
        parts.append(f"{progress.before} from before")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    meter = progress.meter
    parts.append(f"{meter.asked} calls")
    if meter.remembered:
        parts.append(f"{meter.remembered} remembered")
    if meter.retried:
        parts.append(f"{meter.retried} retried")
    if meter.batches:
        ids = list(meter.batches)
        through = sum(done for done, _ in meter.batches.values())
        of = sum(total for _, total in meter.batches.values())
        which = f"batch {ids[0]}" if len(ids) == 1 else f"{len(ids)} batches"
        parts.append(f"waiting for {which}: {through:,} of {of:,}")
    parts.append(f"{progress.tokens_per_second:.0f} tokens/s")
    eta = progress.eta_seconds
    if eta is not None and finished < (progress.total or 0):
        parts.append(f"about {duration(eta)} left")
    return " · ".join(parts)


def _tune_interpreter() -> None:
    """Set this process, which does nothing else, to many calls under way and one writing thread.

    A call under way is some hundred objects, and hundreds of calls are under way: nearly all that a
    collection of cycles visits is in use, and with the usual thresholds (every 700 new objects) it
    takes a tenth of the time. And a thread that has an answer to write waits five milliseconds for
    a busy event loop to step aside, by default: that many more answers a crash would lose.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    sys.setswitchinterval(0.0005)


def duration(seconds: float) -> str:
    """Seconds as people say them: `2 h 5 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


async def _watch(run: Generation, say: Callable[[str], None], every: float) -> None:
    ticker = asyncio.create_task(_tick(run.progress, say, every))
    try:
        async for _ in run.stream():
            pass
    finally:
        ticker.cancel()
    say(progress_line(run.progress))


async def _tick(progress: Progress, say: Callable[[str], None], every: float) -> None:
    said, since = "", time.monotonic()
    while True:
        await asyncio.sleep(min(every, 0.5))
        if progress.total is None or time.monotonic() - since < every:
            continue
        since = time.monotonic()
        line = progress_line(progress)
        if line != said:
            say(line)
            said = line
