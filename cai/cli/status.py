"""`cai status`: how far a run is, what it has cost, and how long it will take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.records import Split
    from cai.store.stages import Stages
    from cai.store.status import RunStatus

__all__ = ["status"]


def status(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show how far a run is: rows, calls, tokens, dollars, pace, the time left, and stages.

    Works while the run is going on, and does not disturb it.

    Example: cai status runs/default
    """
    from cai.cli.stages import print_stages
    from cai.store import RunStore
    from cai.store.connect import PIPELINE_LOCK, locked_since
    from cai.store.stages import read_stages
    from cai.store.status import run_status

    stages, at_work = read_stages(run), locked_since(run, PIPELINE_LOCK) is not None
    if stages is not None and not as_json and not (run / "run.db").is_file():
        # Its first stage has not come as far as that.
        print_stages(stages, at_work=at_work)
        return
    with RunStore.read(run) as store, store.snapshot():
        found = run_status(store)
    if as_json:
        _print_json(found, stages)
        return
    _print(found)
    if stages is not None:
        print_stages(stages, at_work=at_work)


def _print(found: RunStatus) -> None:
    from cai.cli.tables import print_heading, print_table, print_text
    from cai.store.spending import dollars

    shard = f", shard {found.shard}" if found.shard else ""
    print_text(f"{found.run}  {found.constitution}, begun {found.created}{shard}")
    print_text("A process is at work." if found.started is not None else "No process is at work.")
    splits: tuple[Split, ...] = ("train", "dev", "held_out", "quarantine")
    statuses = ("done", "failed", "waiting")
    print_heading("Rows")
    print_table(
        ("Split", *statuses),
        [
            *((s, *(found.rows.get(s, {}).get(status, 0) for status in statuses)) for s in splits),
            ("all", *(found.count(status) for status in statuses)),
        ],
        numbers=(1, 2, 3),
    )
    print_heading("Calls and tokens")
    print_table(
        ("Stage", "Calls", "Prompt tokens", "of them cached", "Completion tokens", "Dollars"),
        [
            (
                *(t.stage, t.calls, t.prompt_tokens, t.cached_tokens, t.completion_tokens),
                dollars(t.cost_usd, t.unpriced, t.calls),
            )
            for t in found.stages
        ],
        numbers=(1, 2, 3, 4, 5),
    )
    print_heading("Progress")
    print_table(("What", "Value"), _lines(found))


def _lines(found: RunStatus) -> list[tuple[str, str]]:
    from cai.cli.running import duration

    finished, spent = found.count("done") + found.count("failed"), found.spent
    calls = sum(stage.calls for stage in found.stages)
    of = "" if found.total is None else f" of {found.total:,} ({_share(finished, found.total)})"
    lines = [("Rows", f"{finished:,}{of}"), ("Worked", duration(found.seconds_at_work))]
    if found.pace:
        pace = found.pace
        lines.append(
            (
                f"Per minute, over the last {pace.seconds:.0f} s",
                f"{pace.rows:,.0f} rows, {pace.calls:,.0f} calls, {pace.tokens:,.0f} tokens",
            )
        )
    if found.seconds_left is not None:
        lines.append(("Time left", f"about {duration(found.seconds_left)}"))
    free = calls and not spent.usd and not spent.unpriced_calls
    paid = "free" if free and found.budget_usd is None else f"${spent.usd:,.4f}"
    lines.append(("Dollars", _budgeted(paid, spent.usd, found.budget_usd, "$")))
    if spent.unpriced_calls:
        lines.append(("Calls without a known price", f"{spent.unpriced_calls:,}"))
    if spent.lost_calls:
        lines.append(
            (
                "Sent and never answered",
                f"{spent.lost_calls:,} attempts, possibly billed: at most ${spent.lost_usd:,.4f}",
            )
        )
    lines.append(("Tokens", _budgeted(f"{spent.tokens:,}", spent.tokens, found.budget_tokens)))
    lines.append(("Checked by people", _checked(found.validation)))
    lines += [
        (f"Batch {batch.batch_id}", f"{batch.status}, {batch.fingerprint}")
        for batch in found.batches
    ]
    return lines


def _checked(validation: Mapping[str, Any]) -> str:
    if validation["validated"]:
        lowered = "; ".join(validation["lowered"])
        return f"yes, {validation['labels']:,} pairs" + (f" ({lowered})" if lowered else "")
    return f"no: {validation['reason']}"


def _budgeted(text: str, spent: float, budget: float | None, unit: str = "") -> str:
    if budget is None:
        return text
    return f"{text} of {unit}{budget:,} ({_share(spent, budget)})"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "all"


def _print_json(found: RunStatus, stages: Stages | None) -> None:
    import json
    from dataclasses import asdict

    record = asdict(found)
    # The ids of thousands of requests say nothing to anybody.
    record["batches"] = [
        {key: value for key, value in batch.items() if key != "request_ids"}
        for batch in record["batches"]
    ]
    record["at_work"] = found.started is not None
    record["pipeline"] = asdict(stages) if stages else None
    # Pure ASCII, so that nothing in the texts can act on a terminal.
    typer.echo(json.dumps(record, indent=2))
