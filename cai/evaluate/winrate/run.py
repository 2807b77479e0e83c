"""A win rate from beginning to end: the judge is checked, asked, and reported on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from cai.evaluate.evaluator import check_on_pairs, fingerprint_of
from cai.evaluate.results import Evaluator
from cai.evaluate.winrate.axes import find_axes, only_axis
from cai.evaluate.winrate.judging import judge_duels
from cai.evaluate.winrate.result import Judgement
from cai.hashing import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cai.evaluate.session import Judges
    from cai.evaluate.winrate.records import Contest
    from cai.loop.plan import Plan
    from cai.validation.exchange import Comparison

__all__ = ["Check", "judge_contest"]

Scope = Literal["constitution", "each", "drawn"]


@dataclass(frozen=True, slots=True)
class Check:
    """Labelled pairs on which the judge is tried, and what they are called."""

    name: str
    comparisons: Sequence[Comparison]


async def judge_contest(
    judges: Judges,
    contest: Contest,
    *,
    scope: Scope | None = None,
    axes: Sequence[str] = (),
    check: Check | None = None,
    draws: int = 2000,
    tick: Callable[[str], None] = lambda _: None,
) -> Judgement:
    """Ask the judges about a contest: first labelled pairs, then all answers, then each axis.

    Every question is asked in both orders, whatever `judge.orders` says: a model that is always
    shown first would else win by its place.

    Args:
        judges: to be asked.
        contest: who answered what.
        scope: in place of `judge.scope`.
        axes: tags of principles under which all is compared once more, each tag on its own.
        check: labelled pairs.
        draws: of the bootstrap of the check.
        tick: called after each comparison with what it was for: `check`, `all`, or an axis.

    Raises:
        ConfigError: the judge cannot be asked in this way.
        UsageError: an axis has no principle.
        FatalEngineError: a judge cannot be asked any more; what was answered is kept.
    """
    keys: dict[str, Any] = {"orders": "both"} | ({"scope": scope} if scope else {})
    constitution = judges.session.constitution
    found = find_axes(axes, constitution)
    plan = judges.plan(**keys)
    # Before anything is paid for: an axis may lack what the judge needs.
    plans = {axis: judges.plan(only_axis(constitution, axis), **keys) for axis in found}
    evaluator = await _checked(judges, check, plan, draws, tick)
    duels = await judge_duels(judges, plan, contest, tick=partial(tick, "all"))
    by_axis = {
        axis: tuple(await judge_duels(judges, own, contest, tick=partial(tick, axis.name)))
        for axis, own in plans.items()
    }
    labelled = [(c.prompt.id, c.chosen, c.rejected) for c in check.comparisons] if check else []
    asked = (plan.hash, [own.hash for own in plans.values()], content_hash(labelled))
    return Judgement(tuple(duels), evaluator, plan.config.judge.scope, by_axis, asked)


async def _checked(
    judges: Judges, check: Check | None, plan: Plan, draws: int, tick: Callable[[str], None]
) -> Evaluator:
    if check is None:
        return Evaluator(fingerprint_of(judges))
    return await check_on_pairs(
        judges,
        check.comparisons,
        name=check.name,
        plan=plan,
        draws=draws,
        tick=partial(tick, "check"),
    )
