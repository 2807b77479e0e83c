"""The groups of principles that a pair is judged under; each group is one question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.loop.draw import draw_principles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.models import Principle
    from cai.loop.plan import Plan
    from cai.records import Pair, Prompt

__all__ = ["judged_under"]


def judged_under(plan: Plan, prompt: Prompt, pair: Pair) -> list[Sequence[Principle]]:
    """The groups of principles for a pair, as `judge.scope` has it.

    Draws are made anew for each pair, apart from those of the rounds: a revision is not judged by
    the very principle that made it more often than chance has it (2212.08073, §4.1 draws for each
    comparison independently, too).

    Raises:
        RowEngineError: no principle applies to the prompt.
    """
    judge, constitution = plan.config.judge, plan.scopes.judging(prompt)
    if judge.scope == "constitution":
        return [constitution.ranked]
    if judge.scope == "each":
        return [(principle,) for principle in constitution.ranked]
    drawn = draw_principles(
        constitution,
        plan.config.loop.seed,
        prompt.id,
        f"judge {pair.first_name} | {pair.second_name}",
        judge.principles,
    )
    return [(principle,) for principle in drawn]
