"""Attacks on the judge of a config, through a run store, so that nothing is asked twice."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Literal

from cai.engines.factory import open_judges
from cai.engines.memo import Meter
from cai.hashing import content_hash
from cai.judge.attacks import Case, Target, run_trials
from cai.loop.callers import open_callers
from cai.loop.judging import judging_stage, open_jury
from cai.loop.plan import for_judging, load_templates, make_plan
from cai.loop.secret import quoting_secret
from cai.loop.under import judged_under
from cai.store import RunStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from cai.config import Config
    from cai.constitution.models import Constitution
    from cai.engines.factory import Engines
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
    ours = engines or open_judges(config.models)
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


def _plan(config: Config, constitution: Constitution, quoting: Quoting, engines: Engines) -> Plan:
    # Orders are asked for one by one, because the text of an attack depends on the place.
    judge = config.judge.model_copy(update={"quoting": quoting, "orders": "first"})
    config = config.model_copy(update={"judge": judge})
    templates = for_judging(load_templates(config), config, constitution)
    return make_plan(config, constitution, templates, engines, "")


def _case(plan: Plan, prompt: Prompt, pair: Pair) -> Case:
    """The pair under the principles under which a run judges it."""
    name = content_hash([prompt.id, pair.first, pair.second])[:16]
    groups = tuple(tuple(group) for group in judged_under(plan, prompt, pair))
    return Case(name, prompt.messages, pair.first, pair.second, groups)
