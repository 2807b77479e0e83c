"""What the stage `evaluate` would ask: each evaluation is gone through with stand-ins."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cai.constitution.lock import resolve_locked
from cai.engines.cost import PriceTable
from cai.errors import ChangedRunError
from cai.evaluate.registered.prompts import count_asked
from cai.evaluate.rehearsal import Rehearsal, Requests
from cai.loop.estimate import stage_estimate
from cai.loop.estimated import Estimate
from cai.loop.figures import Figures, Range
from cai.loop.source import open_source
from cai.pipeline.evaluating import evaluated, evaluations
from cai.store.groups import split_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cai.evaluate.records import Subject
    from cai.evaluate.registry import Evaluation, EvaluationSettings
    from cai.evaluate.rehearsal import Who
    from cai.loop.estimated import StageEstimate
    from cai.pipeline.desk import Desk
    from cai.records import Prompt

__all__ = ["estimate_evaluations", "together"]

_WALKED = 100
"""Prompts of a win rate or of adherence that are gone through; of more, calls grow evenly."""

_SHORT, _LONG = 0.125, 1.0
"""Least and largest length of answers, as shares of the most that they may have."""

_LABEL_TOKENS = 8
"""A request for at most so many tokens wants a label, and gets about one."""


def estimate_evaluations(desk: Desk, *, there: bool) -> dict[str, Estimate]:
    """Calls, tokens and dollars of each evaluation, in their order.

    Calls are the most that there are, as far as servers give log-probabilities: `high` is without
    them, where that is not known. Answers that the run's evaluations remember are not taken off.

    Args:
        desk: the pipeline.
        there: whether the generation is done, so that the prompts of its split dev are known.

    Raises:
        CaiError: as the evaluations, before they ask.
    """
    ref = desk.config.constitution
    try:
        constitution = resolve_locked(ref, desk.folder)
    except ChangedRunError:
        # A changed one is asked about with `update` only, and that is what is planned.
        constitution = resolve_locked(ref, desk.folder, update=True)
    dev = None if there else _foreseen_dev(desk)
    found = {}
    with (
        TemporaryDirectory(prefix="cai-rehearsal-") as folder,
        Rehearsal(desk.config, constitution, Path(folder), dev) as session,
    ):
        for name, (one, settings) in evaluations(desk).items():
            models = evaluated(desk, one)
            counted = asyncio.run(_counted(session, one, models, settings))
            found[name] = _estimate(desk, models, counted)
    return found


def together(estimates: Iterable[Estimate]) -> Estimate:
    """The sum of some evaluations."""
    stages = tuple(stage for one in estimates for stage in one.stages)
    return Estimate(0, 0, 0, 0, (), None, Range(), stages)


async def _counted(
    session: Rehearsal,
    one: Evaluation,
    models: Sequence[Subject],
    settings: EvaluationSettings,
) -> dict[Who, Requests]:
    """Requests of one evaluation; of many prompts the first tell what each further one adds."""
    # Figures are thrown away, so the least of draws does.
    quick: dict[str, Any] = {"draws": 100} if "draws" in type(settings).model_fields else {}
    total = count_asked(session, settings)

    async def walk(limit: int | None) -> dict[Who, Requests]:
        own = {**quick, **({} if limit is None else {"limit": limit})}
        await one.rehearse(session, models, settings.model_copy(update=own))
        return session.counted()

    if total is None or total <= _WALKED:
        return await walk(None)
    half = _WALKED // 2
    first, more = await walk(half), await walk(_WALKED)
    return {
        who: first.get(who, Requests())
        + _times(more.get(who, Requests()), (total - half) / (_WALKED - half))
        for who in (first | more)
    }


def _times(one: Requests, factor: float) -> Requests:
    return Requests(round(one.calls * factor), round(one.read * factor), round(one.most * factor))


def _foreseen_dev(desk: Desk) -> tuple[Prompt, ...]:
    """Prompts that a run is going to have in its split dev.

    Near-duplicates follow the first of their kind, which is not looked for here; one prompt is
    taken where there would be none.
    """
    config = desk.config
    split = config.split
    prompts = [one for batch in open_source(config.prompts, None).batches(1_000) for one in batch]
    drawn = (split.dev, split.held_out, split.seed)
    dev = tuple(one for one in prompts if split_of(one.id, *drawn) == "dev")
    return dev or tuple(prompts[:1])


def _estimate(desk: Desk, models: Sequence[Subject], counted: Mapping[Who, Requests]) -> Estimate:
    prices = PriceTable.load(desk.config.prices)
    by_name = {one.name: one.model for one in models}
    stages: list[StageEstimate] = []
    for (who, stage), requests in counted.items():
        config, role = desk.config, who
        if stage == "sample":
            models_of = type(config.models)(policy=by_name[who])
            config, role = config.model_copy(update={"models": models_of}), "policy"
        model = config.models.roles[role]
        unknown = model.engine == "openai" and model.logprobs == "auto" and stage != "sample"
        votes = 1 + config.judge.votes if unknown else 1
        one = stage_estimate((stage, role), config, prices, _figures(requests, votes), 1)
        stages.append(replace(one, role=who))
    return Estimate(0, 0, 0, 0, (), None, Range(), tuple(stages))


def _figures(requests: Requests, votes: int) -> Figures:
    """Of all requests to one model together."""
    calls, read, most = map(float, (requests.calls, requests.read, requests.most))
    short = calls and most <= _LABEL_TOKENS * calls
    written = Range(calls, calls, most) if short else Range(_SHORT * most, 0.5 * most, _LONG * most)
    return Figures(
        Range(calls, calls, votes * calls),
        # Half of the tokens, about, are answers in the requests of a judge.
        Range(0.75 * read, read, votes * 1.5 * read),
        Range(written.low, written.likely, votes * written.high),
    )
