"""What a start would do, and why, without doing it: nothing is asked, trained or written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cai.loop.estimate import estimate
from cai.pipeline.estimating import estimate_evaluations, together
from cai.pipeline.preflight import preflight
from cai.pipeline.run import MODULES, why
from cai.pipeline.stages import make_stages, select_stages
from cai.pipeline.state import State
from cai.pipeline.training import training_config
from cai.train.data import kind_of, load_data, mix
from cai.train.examples import Preference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.loop.estimate import Estimate
    from cai.pipeline.desk import Desk
    from cai.pipeline.stages import Stage

__all__ = ["PlannedStage", "plan_stages"]

Action = Literal["run", "skip", "perhaps", "not meant"]
"""`perhaps`: a stage before it is carried out, and its result decides."""


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """What would become of a stage.

    Args:
        stage: which.
        action: what would be done.
        why: in words.
        asks: what a generation would still ask, or evaluations at the most; None for other stages.
        needs_update: it only goes on with `update`, because the stored run asked something else.
        steps: optimiser steps of a training; None where they depend on data that is not there yet.
        evaluations: what each of them asks, by name.
    """

    stage: Stage
    action: Action
    why: str
    asks: Estimate | None = None
    needs_update: bool = False
    steps: int | None = None
    evaluations: Mapping[str, Estimate] = field(default_factory=dict)


def plan_stages(
    desk: Desk, *, first: str | None = None, last: str | None = None
) -> tuple[PlannedStage, ...]:
    """Say what `carry_out` would do with the same arguments.

    Raises:
        CaiError: as `carry_out` before its first stage.
    """
    stages = make_stages(desk.config.pipeline)
    begin, end = select_stages(stages, first, last)
    preflight(desk, stages)
    state = State(desk, stages)
    found: dict[str, PlannedStage] = {}
    for number, stage in enumerate(stages):
        if not begin <= number <= end:
            side = "comes before --from" if number < begin else "comes after --until"
            found[stage.name] = PlannedStage(stage, "not meant", side)
            continue
        before = [n for n in stage.needs if found[n].action in ("run", "perhaps")]
        found[stage.name] = _planned(desk, state, stage, before)
    return tuple(found.values())


def _planned(desk: Desk, state: State, stage: Stage, before: list[str]) -> PlannedStage:
    parts = None if before else MODULES[stage.kind].inputs(desk, stage)
    because = why(desk, state, stage, parts)
    action: Action = "run" if because else "perhaps" if before else "skip"
    if action == "perhaps":
        because = f"if {' or '.join(before)} changes something"
    asks = None
    if stage.kind == "generate" and action != "skip":
        asks = estimate(desk.round_config(stage.round))
    each: dict[str, Estimate] = {}
    if stage.kind == "evaluate" and action != "skip":
        each = estimate_evaluations(desk, there="generate" not in before)
        asks = together(each.values())
    steps = _steps(desk, stage, there=not before) if stage.training is not None else None
    needs_update = asks is not None and bool(asks.changed)
    return PlannedStage(stage, action, because or "unchanged", asks, needs_update, steps, each)


def _steps(desk: Desk, stage: Stage, *, there: bool) -> int | None:
    """Optimiser steps of a training in one process.

    Args:
        desk: the pipeline.
        stage: the training.
        there: whether its data are those that it would be trained on.
    """
    assert stage.training is not None
    method = stage.training.method
    config = training_config(desk, stage.training, stage.round)
    optim, ppo = config.training, config.ppo
    per_update = ppo.epochs * ppo.minibatches
    if optim.max_steps is not None:
        whole = math.ceil(optim.max_steps / per_update) * per_update
        return whole if method == "ppo" else optim.max_steps
    if not there:
        return None
    data = load_data(kind_of(method, config), config)
    drawn = mix(data.train, data.weights, 0)
    if method in ("ppo", "grpo", "rloo"):
        # Several answers to one prompt are several rows of a file; each prompt counts once.
        prompts = len({one.id for one in drawn}) * optim.epochs
        if method == "ppo":
            return max(1, math.ceil(prompts / ppo.rollouts)) * per_update
        answers = prompts * config.grpo.group_size
        return max(1, math.ceil(answers / optim.batch_size)) * config.grpo.updates
    # KTO takes the two answers of a pair one by one.
    pairs = sum(isinstance(one, Preference) for one in drawn) if method == "kto" else 0
    examples = (len(drawn) + pairs) * optim.epochs
    return max(1, math.ceil(examples / optim.batch_size))
