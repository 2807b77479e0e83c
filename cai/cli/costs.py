"""What a run, or a row of it, has cost: lines and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.cli.tables import print_heading, print_table

if TYPE_CHECKING:
    from pathlib import Path

    from cai.engines.memo import Meter
    from cai.records import Row, Stage
    from cai.store import RunStore
    from cai.store.facts import ModelCalls
    from cai.store.spending import RowSpending, Spending

__all__ = ["cost_lines", "print_asked", "print_costs", "print_row_costs"]


def cost_lines(spending: Spending) -> list[tuple[str, str]]:
    """Name and value of what the whole run has cost."""
    from cai.store.spending import dollars

    spent = spending.spent
    calls = sum(model.calls for model in spending.models) + spent.lost_calls
    lines = [("Dollars", dollars(spent.usd, spent.unpriced_calls, calls) if calls else "none")]
    if spent.lost_calls:
        lost = dollars(spent.lost_usd, 0, spent.lost_calls) if spent.lost_usd else "unknown price"
        lines.append(
            (
                "Sent and never answered",
                f"{spent.lost_calls:,} attempts, possibly billed; at most {lost} of the above",
            )
        )
    if spending.rows.rows:
        lines.append(("A row", _row_line(spending.rows)))
    if spending.usd_per_1000_pairs:
        lines.append(("1,000 judged pairs", f"${spending.usd_per_1000_pairs:,.2f}"))
    return lines


def _row_line(rows: RowSpending) -> str:
    mean, most = [f"{rows.mean_tokens:,.0f} tokens"], [f"{rows.max_tokens or 0:,} tokens"]
    if rows.mean_usd is None or rows.max_usd is None:
        return f"mean {mean[0]}"
    mean.append(f"${rows.mean_usd:,.4f}")
    most.append(f"${rows.max_usd:,.4f}")
    return f"mean {' and '.join(mean)}; at most {' and '.join(most)}"


def print_costs(spending: Spending) -> None:
    """Tables of calls, tokens and dollars: by role and stage, and by model if there are several."""
    from cai.store.spending import ROLE_OF

    columns = ("Calls", "Prompt tokens", "of them cached", "Completion tokens", "Dollars")
    print_heading("Calls, tokens and dollars")
    print_table(
        ("Role", "Stage", "Model", *columns),
        [(ROLE_OF[m.stage], m.stage, m.fingerprint, *_figures([m])) for m in spending.models],
        numbers=range(3, 8),
    )
    by_model: dict[str, list[ModelCalls]] = {}
    for model in spending.models:
        by_model.setdefault(model.fingerprint, []).append(model)
    if len(by_model) > 1:
        print_heading("By model")
        print_table(
            ("Model", *columns),
            [(name, *_figures(models)) for name, models in by_model.items()],
            numbers=range(1, 6),
        )


def print_asked(folder: Path, meter: Meter) -> None:
    """A table of what was asked outside of a run, and what it has cost.

    Args:
        folder: of the store that keeps the answers.
        meter: of the calls of this start.
    """
    from cai.store import RunStore
    from cai.store.spending import RowSpending, spending

    with RunStore.read(folder) as store:
        spent = spending(store, RowSpending(), 0)
    print_heading("Calls and cost of asking")
    print_table(
        ("What", "How much"),
        [
            ("Calls, this time", f"{meter.asked:,} asked, {meter.remembered:,} remembered"),
            ("Calls, all times", f"{sum(model.calls for model in spent.models):,}"),
            ("Tokens, all times", f"{spent.spent.tokens:,}"),
            *cost_lines(spent),
            ("Kept in", str(folder)),
        ],
    )


def _figures(models: list[ModelCalls]) -> tuple[object, ...]:
    from cai.store.spending import dollars

    calls, unpriced = sum(m.calls for m in models), sum(m.unpriced for m in models)
    return (
        calls,
        sum(m.prompt_tokens for m in models),
        sum(m.cached_tokens for m in models),
        sum(m.completion_tokens for m in models),
        dollars(sum(m.cost_usd for m in models), unpriced, calls),
    )


def print_row_costs(store: RunStore, row: Row) -> None:
    """A table of the calls that a row is made of, by stage. Rows may share calls."""
    from cai.store.spending import ROLE_OF, calls_of, dollars

    by_stage: dict[Stage, list[str]] = {}
    for stage, request_id in calls_of(row):
        by_stage.setdefault(stage, []).append(request_id)
    bills = {stage: store.bill(ids) for stage, ids in by_stage.items()}
    if not bills:
        return
    everything = store.bill(i for ids in by_stage.values() for i in ids)
    print_heading("What this row took")
    print_table(
        ("Role", "Stage", "Calls", "Prompt tokens", "Completion tokens", "Dollars"),
        [
            (
                *(role, stage, bill.calls, bill.prompt_tokens, bill.completion_tokens),
                dollars(bill.usd, bill.unpriced, bill.calls) if bill.calls else "not in the store",
            )
            for role, stage, bill in [
                *((ROLE_OF[stage], stage, bill) for stage, bill in bills.items()),
                ("all", "", everything),
            ]
        ],
        numbers=range(2, 6),
    )
