"""Attacks on the judge of a config, through a run store, so that nothing is asked twice."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Literal

from cai.hashing import content_hash
from cai.judge.attacks import Case, Target, run_trials
from cai.loop.judges import start_judges
from cai.loop.judging import judging_stage
from cai.loop.under import judged_under

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
        folder: of the run store that keeps the answers; not that of a run.
        quotings: in place of `judge.quoting`.
        engines: in place of those that the config describes; they stay open.

    Raises:
        ConfigError: the judge cannot be asked in this way.
        UsageError: the folder holds a run.
        FatalEngineError: the judge cannot be asked any more; what was answered is kept.
        StoreError: another process writes to the folder, or it cannot be written.
    """
    async with start_judges(config, engines) as started:
        # Orders are asked for one by one, because the text of an attack depends on the place.
        plans = {q: started.plan(constitution, quoting=q, orders="first") for q in quotings}
        async with started.apart(folder, "answers to attacks are") as judges:
            juries = {quoting: judges.jury(plan) for quoting, plan in plans.items()}
            for prompt, pair in pairs:
                for quoting, plan in plans.items():
                    case = [_case(plan, prompt, pair)]
                    targets = Target.both(plan.templates[judging_stage(plan.config)])
                    trials = run_trials(juries[quoting], case, suite, targets)
                    async with aclosing(trials) as found:
                        async for one in found:
                            yield quoting, one


def _case(plan: Plan, prompt: Prompt, pair: Pair) -> Case:
    """The pair under the principles under which a run judges it."""
    name = content_hash([prompt.id, pair.first, pair.second])[:16]
    groups = tuple(tuple(group) for group in judged_under(plan, prompt, pair))
    return Case(name, prompt.messages, pair.first, pair.second, groups)
