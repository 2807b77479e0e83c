"""What a run will ask and cost, before anything is asked.

Calls are counted by walking a sample of the prompts with stand-in answers (`cai.loop.rehearse`), or
from the finished rows of the same run where there are enough. Every figure has three values: low,
likely and high. Without finished rows they differ in what is assumed of the answers: how long they
are, how many critiques find nothing, and whether a server gives log-probabilities. With finished
rows they are the measured mean, less and plus a margin. Where the stored run asked something else,
the prompts are walked on its answers (`cai.loop.replan`), and what they do not find is counted.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from cai.engines.cost import Account, PriceTable
from cai.errors import RowEngineError
from cai.loop.changes import Before, Changes
from cai.loop.estimated import Estimate, Impossible, StageEstimate
from cai.loop.figures import (
    Figures,
    Range,
    measured_figures,
    rehearsed_figures,
    replanned_figures,
    with_measured_tokens,
)
from cai.loop.fingerprints import foreseen, named_engines
from cai.loop.measured import measure
from cai.loop.plan import load_templates, make_plan
from cai.loop.rehearse import spread
from cai.loop.replan import replan
from cai.loop.source import open_source
from cai.records import Stage
from cai.store import RunStore
from cai.store.standing import rows_of_other_plans

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cai.config import Config
    from cai.loop.measured import Measured
    from cai.loop.plan import Plan
    from cai.loop.rehearse import Lane
    from cai.loop.source import PromptSource
    from cai.records import Prompt

__all__ = ["WALKED", "Estimate", "StageEstimate", "estimate", "stage_estimate"]

WALKED = 5_000
"""Prompts of a kind that are walked on the memory of a run; of more, an evenly spread part."""

_PROMPTS = 200
_ENOUGH_ROWS = 10


def estimate(config: Config, *, most: int | None = WALKED) -> Estimate:
    """Say what a run will ask and cost. Starts no model, and needs no key and no network.

    Args:
        config: the whole config.
        most: how many prompts of a kind to walk where a stored run asked something else; None
            walks all.

    Raises:
        UsageError: config, constitution, templates or prompts cannot be used.
        StoreError: the folder of the run holds a store that cannot be read.
    """
    from cai.constitution import load_constitution

    source, folder = open_source(config.prompts, None), Path(config.run)
    with ExitStack() as opened:
        store = None
        if (folder / "run.db").exists():
            store = opened.enter_context(RunStore.read(folder))
            opened.enter_context(store.snapshot())
            store = store if store.meta("asked") is not None else None
        before = Before.of(store) if store else None
        # What a model is called by itself is only known when it has been started.
        names = foreseen(
            config, before.config if before else None, before.fingerprints if before else {}
        )
        plan = make_plan(
            config,
            load_constitution(config.constitution),
            load_templates(config),
            named_engines(names),
            source.hash,
        )
        if store is None or before is None:
            return _rehearsed(plan, source, None)
        changes = Changes(before, plan)
        if changes.keys or rows_of_other_plans(store):
            return _replanned(store, plan, source, changes, most)
        return _rehearsed(plan, source, measure(store))


def _rehearsed(plan: Plan, source: PromptSource, same: Measured | None) -> Estimate:
    """Without a stored run, or with one that asked the same."""
    rehearsed, seen = 0, spread(source, _PROMPTS)
    if same and same.rows >= _ENOUGH_ROWS:
        figures, pairs = measured_figures(same)
    else:
        figures, pairs, rehearsed = rehearsed_figures(plan, seen)
        figures = with_measured_tokens(figures, same) if same else figures
    finished = min(same.finished, source.total) if same else 0
    to_do = source.total - finished
    prices = PriceTable.load(plan.config.prices)
    return Estimate(
        prompts=source.total,
        finished=finished,
        rehearsed=rehearsed,
        measured=same.rows if same and not rehearsed else 0,
        changed=(),
        spent=same.spent if same else None,
        pairs=pairs * to_do,
        stages=tuple(
            stage_estimate(lane, plan.config, prices, figures[lane], to_do, same)
            for lane in _in_order(figures)
        ),
        impossible=_impossible(plan, seen),
    )


def _impossible(plan: Plan, seen: Sequence[Prompt]) -> Impossible | None:
    """Prompts that no principle applies to; None where there are none."""
    reasons = []
    for prompt in seen:
        try:
            plan.scopes.require(prompt)
        except RowEngineError as error:
            reasons.append(str(error))
    return Impossible(len(reasons), len(seen), reasons[0]) if reasons else None


def _replanned(
    store: RunStore, plan: Plan, source: PromptSource, changes: Changes, most: int | None
) -> Estimate:
    """Against a stored run that asked something else."""
    stored = measure(store)
    found = asyncio.run(
        replan(
            *(store, source, plan, changes),
            clean=stored.clean,
            lengths=stored.lengths,
            most=most,
        )
    )
    figures = replanned_figures(found, stored, changes)
    prices = PriceTable.load(plan.config.prices)
    stages = (
        stage_estimate(lane, plan.config, prices, figures[lane], 1) for lane in _in_order(figures)
    )
    return Estimate(
        prompts=source.total,
        finished=found.rows.settled,
        rehearsed=found.walked,
        measured=0,
        changed=changes.keys,
        spent=stored.spent,
        pairs=found.pairs,
        stages=tuple(
            replace(stage, answered=round(found.valid.get((stage.stage, stage.role), 0.0)))
            for stage in stages
        ),
        changes=found,
    )


def _in_order(lanes: Iterable[Lane]) -> list[Lane]:
    order = get_args(Stage)
    return sorted(lanes, key=lambda lane: order.index(lane[0]))


def stage_estimate(
    lane: Lane,
    config: Config,
    prices: PriceTable,
    per_row: Figures,
    to_do: int,
    stored: Measured | None = None,
) -> StageEstimate:
    """What a role asks in one stage.

    Args:
        lane: the stage and the role.
        config: has the model of the role.
        prices: of models.
        per_row: calls and tokens of one row, or of whatever is asked about.
        to_do: how many of them.
        stored: the stored run, some of whose calls may be answered.
    """
    from cai.engines import open_engine
    from cai.loop.callers import is_paid, model_name

    stage, role = lane
    model = config.models.roles[role]
    # Engines of servers are made without starting them; the others need not even be installed.
    engine = open_engine(model) if model.engine == "openai" else None
    name = model_name(engine) if engine else model.model
    paid = engine is not None and is_paid(engine)
    price = prices.price(name)
    usd: Range | None = Range()
    likely = per_row.calls.likely
    share = stored.shares(stage).get(role, 0.0) if stored else 0.0
    # The stage as a whole has that many more calls than this role.
    answered = share * stored.answered(stage, likely / share) if stored and share else 0.0
    rows = max(to_do - answered / likely, 0.0) if likely else float(to_do)
    if paid:
        account = Account(prices, usd_limit=None, tokens_limit=None)
        # A million rows, so that rounding to whole tokens is of no account.
        costs = [
            account.cost(price, usage, batch=model.batch) for usage in per_row.usages(1_000_000)
        ]
        known = [cost / 1_000_000 * rows for cost in costs if cost is not None]
        usd = Range(*known) if len(known) == len(costs) else None
    return StageEstimate(
        role=role,
        stage=stage,
        model=name,
        paid=paid,
        batch=model.batch,
        calls=per_row.calls * rows,
        answered=round(answered),
        prompt_tokens=per_row.prompt_tokens * rows,
        completion_tokens=per_row.completion_tokens * rows,
        usd=usd,
        price_source="free" if not paid else price.source if price else "unknown",
    )
