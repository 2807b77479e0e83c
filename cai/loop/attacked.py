"""Attacks on the judge of a config, through a run store, so that nothing is asked twice."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from cai.engines.factory import Engines, open_engine
from cai.engines.memo import Meter
from cai.hashing import content_hash
from cai.judge.attacks import Case, Target, run_trials
from cai.loop.callers import open_callers
from cai.loop.draw import draw_principles
from cai.loop.judging import judging_stage, open_jury
from cai.loop.plan import for_judging, load_templates, make_plan
from cai.loop.secret import quoting_secret
from cai.store import RunStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from cai.config import Config
    from cai.constitution.models import Constitution
    from cai.judge.attacks import Suite, Trial
    from cai.loop.plan import Plan
    from cai.records import Pair, Prompt

__all__ = ["Quoting", "attack"]

Quoting = Literal["plain", "nonce"]


async def attack(
    config: Config,
    constitution: Constitution,
    pairs: Sequence[tuple[Prompt, Pair]],
    suite: Suite,
    folder: Path,
    quotings: Sequence[Quoting],
    *,
    engines: Engines | None = None,
) -> AsyncGenerator[tuple[Quoting, list[Trial]]]:
    """Yield the trials of each pair, under each way of quoting.

    Args:
        config: its judge is attacked, each question in both orders.
        constitution: its principles are drawn as in a run.
        pairs: with their prompts; verdicts in them are not used.
        suite: what is tried.
        folder: of the run store that keeps the answers; not that of a run with rows.
        quotings: in place of `judge.quoting`.
        engines: in place of those that the config describes; they stay open.

    Raises:
        ConfigError: the judge cannot be asked in this way.
        FatalEngineError: the judge cannot be asked any more; what was answered is kept.
        StoreError: another process writes to the folder, or it cannot be written.
    """
    ours = engines or _judges(config)
    await ours.start()
    try:
        with RunStore.open(folder, durable=config.runtime.durable) as store:
            callers = open_callers(ours, config, store, Meter())
            asking = {role: callers[id(one)] for role, one in ours.judging.items()}
            juries = {}
            for quoting in quotings:
                plan = _plan(config, constitution, quoting, ours)
                secret = quoting_secret(store, folder, plan.config.judge)
                targets = Target.both(plan.templates[judging_stage(plan.config)])
                juries[quoting] = plan, open_jury(plan, asking, secret=secret), targets
            try:
                for prompt, pair in pairs:
                    for quoting, (plan, jury, targets) in juries.items():
                        case = [_case(plan, prompt, pair)]
                        async with aclosing(run_trials(jury, case, suite, targets)) as found:
                            async for trials in found:
                                yield quoting, trials
            finally:
                for caller in callers.values():
                    await caller.close()
    finally:
        if engines is None:
            await ours.close()


def _judges(config: Config) -> Engines:
    """The models that judge; no other one is opened."""
    models = config.models
    panel = tuple(map(open_engine, models.judges))
    judge = panel[0] if panel else open_engine(models.judge or models.critic or models.policy)
    fallback = open_engine(models.fallback_judge) if models.fallback_judge else None
    return Engines(judge, judge, judge, panel, fallback)


def _plan(config: Config, constitution: Constitution, quoting: Quoting, engines: Engines) -> Plan:
    # Orders are asked for one by one, because the text of an attack depends on the place.
    judge = config.judge.model_copy(update={"quoting": quoting, "orders": "first"})
    config = config.model_copy(update={"judge": judge})
    templates = for_judging(load_templates(config), config, constitution)
    return make_plan(config, constitution, templates, engines, "")


def _case(plan: Plan, prompt: Prompt, pair: Pair) -> Case:
    """The pair under the principles under which a run judges it."""
    judge, constitution = plan.config.judge, plan.scopes.of(prompt)
    name = content_hash([prompt.id, pair.first, pair.second])[:16]
    case = Case(name, prompt.messages, pair.first, pair.second, ())
    if judge.scope != "drawn":
        ranked = tuple(sorted(constitution.principles, key=lambda p: (-p.weight, p.id)))
        groups = (ranked,) if judge.scope == "constitution" else tuple((p,) for p in ranked)
        return replace(case, principles=groups)
    drawn = draw_principles(
        constitution,
        plan.config.loop.seed,
        prompt.id,
        f"judge {pair.first_name} | {pair.second_name}",
        judge.principles,
    )
    return replace(case, principles=tuple((principle,) for principle in drawn))
