"""What the run has cost: by role, stage and model, and for a thousand pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Charts, Facts, Note, Section, Table
from cai.report.charts import stacked_bars
from cai.store.export_rows import public
from cai.store.spending import ROLE_OF, dollars

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.report.blocks import Block
    from cai.report.figures import Figures
    from cai.store.facts import ModelCalls
    from cai.store.spending import Spending
    from cai.store.stages import Stages

__all__ = ["costs_section"]

_COLUMNS = ("Calls", "Tokens read", "of them cached", "Tokens written", "Dollars")
_PARTS = ("read", "read, cached", "written")


def costs_section(figures: Figures) -> Section:
    """Calls, tokens and dollars."""
    spending = figures.spending
    lead = (
        "What making the data has used up over the whole life of the run, attempts without an "
        "answer included."
    )
    if not spending.models:
        none = Note("No call was answered yet, so there are no costs to show.")
        return Section("costs", "Costs", lead, (none,))
    stages: dict[str, list[ModelCalls]] = {}
    names: dict[str, list[ModelCalls]] = {}
    for calls in spending.models:
        stages.setdefault(f"{ROLE_OF[calls.stage]}: {calls.stage}", []).append(calls)
        names.setdefault(public(calls.fingerprint), []).append(calls)
    bars = {stage: _tokens(calls) for stage, calls in stages.items()}
    chart = stacked_bars("tokens", "Tokens by stage", bars, _PARTS, "tokens", shares=False)
    by_stage = tuple(
        (ROLE_OF[m.stage], m.stage, public(m.fingerprint), *_figures([m])) for m in spending.models
    )
    by_model = tuple((name, *_figures(calls)) for name, calls in names.items())
    blocks: list[Block] = [
        Facts((*_facts(spending), *_beside(figures.stages))),
        Charts((chart,)),
        Table(
            "By role, stage and model",
            ("Role", "Stage", "Model", *_COLUMNS),
            by_stage,
            frozenset(range(3, 8)),
        ),
        Table("By model", ("Model", *_COLUMNS), by_model, frozenset(range(1, 6))),
    ]
    return Section("costs", "Costs", lead, tuple(blocks))


def _facts(spending: Spending) -> Iterator[tuple[str, str]]:
    spent, rows = spending.spent, spending.rows
    calls = sum(m.calls for m in spending.models) + spent.lost_calls
    yield "Dollars in all", dollars(spent.usd, spent.unpriced_calls, calls)
    yield "Tokens in all", f"{spent.tokens:,}"
    usd = spending.usd_per_1000_pairs
    if not spending.pairs:
        yield "1,000 judged pairs", "unknown: no pair was judged"
    else:
        price = "unknown price" if usd is None else f"${usd:,.4f}" if usd else "free"
        tokens = 1000 * spent.tokens / spending.pairs
        yield "1,000 judged pairs", f"{price}, {tokens:,.0f} tokens"
    if rows.mean_tokens is not None:
        usd = rows.mean_usd
        money = "" if usd is None else f" and ${usd:,.4f}"
        yield "A row, on average", f"{rows.mean_tokens:,.0f} tokens{money}"
    if spent.lost_calls:
        yield (
            "Sent and never answered",
            f"{spent.lost_calls:,} attempts, at most ${spent.lost_usd:,.4f} of the above",
        )


def _beside(stages: Stages | None) -> Iterator[tuple[str, str]]:
    """What trainings and evaluations have asked, which is in stores of their own."""
    others = [
        one for one in (stages.stages if stages else ()) if one.calls and "generate" not in one.name
    ]
    if others:
        calls = sum(one.calls for one in others)
        usd = sum(one.usd or 0.0 for one in others)
        unpriced = sum(one.calls for one in others if one.usd is None)
        yield (
            "Trainings and evaluations beside",
            f"{calls:,} calls, {dollars(usd, unpriced, calls)}",
        )


def _tokens(calls: Sequence[ModelCalls]) -> dict[str, int]:
    cached = sum(m.cached_tokens for m in calls)
    read = sum(m.prompt_tokens for m in calls)
    written = sum(m.completion_tokens for m in calls)
    return dict(zip(_PARTS, (read - cached, cached, written), strict=True))


def _figures(calls: Sequence[ModelCalls]) -> tuple[str, ...]:
    n, unpriced = sum(m.calls for m in calls), sum(m.unpriced for m in calls)
    return (
        f"{n:,}",
        f"{sum(m.prompt_tokens for m in calls):,}",
        f"{sum(m.cached_tokens for m in calls):,}",
        f"{sum(m.completion_tokens for m in calls):,}",
        dollars(sum(m.cost_usd for m in calls), unpriced, n),
    )
