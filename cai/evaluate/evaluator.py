"""Whether the judge of an evaluation is to be trusted: how often it is right where that is known.

A judge below or at chance makes figures that say nothing of the models; `Evaluator.distrust` then
takes their place.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cai.errors import RowEngineError
from cai.evaluate.floor import TooFew, enough
from cai.evaluate.means import prompt_groups
from cai.evaluate.results import Evaluator
from cai.loop.under import judged_under
from cai.records import Pair
from cai.validation.bias.means import share_interval
from cai.validation.bias.orders import credit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cai.evaluate.session import Judges
    from cai.judge import Jury
    from cai.loop.plan import Plan
    from cai.records import Prompt
    from cai.validation.exchange import Comparison
    from cai.validation.statistics.intervals import Interval

__all__ = ["as_pair", "check_on_pairs", "fingerprint_of", "fingerprint_of_first"]


def fingerprint_of(judges: Judges) -> str:
    """Names who judges; the members of a panel are joined by ` + `."""
    return " + ".join(dict.fromkeys(e.fingerprint for e in judges.engines.judging.values()))


def fingerprint_of_first(judges: Judges) -> str:
    """Names the judge that is asked about one answer at a time: the first of a panel."""
    return next(iter(judges.engines.judging.values())).fingerprint


def as_pair(prompt: Prompt, first: str, second: str) -> Pair:
    """Two answers as the judge of a run takes them.

    Draws of principles depend on the names of the answers. Here these are the same for all pairs,
    so that all answers to a prompt are compared under the same principles.
    """
    return Pair(prompt.id, "samples", first, second, "one", "other")


async def check_on_pairs(
    judges: Judges,
    comparisons: Iterable[Comparison],
    *,
    name: str,
    plan: Plan | None = None,
    about: str = "",
    draws: int = 2000,
    tick: Callable[[], None] = lambda: None,
) -> Evaluator:
    """Ask the judges about labelled pairs, and say how often they are right.

    A verdict is right where its probability lies on the side of the label; exactly ½ is half
    right. Pairs that are labelled a tie are left out, and so are pairs without a verdict, which
    `Evaluator.unjudged` counts. The interval is over groups of near-duplicate prompts.

    Args:
        judges: to be checked.
        comparisons: labelled pairs, as `cai.validation.exchange.read_comparisons` has them.
        name: of the labelled data, for people.
        plan: how the judges are asked, as in the evaluation; the config's way in both orders when
            absent.
        about: as `Evaluator.about`.
        draws: of the bootstrap.
        tick: called after each pair.

    Raises:
        ConfigError: the judge cannot be asked in this way.
        FatalEngineError: a judge cannot be asked any more; what was answered is kept.
    """
    asked = plan or judges.plan(orders="both")
    jury = judges.jury(asked)
    labelled = [one for one in comparisons if one.label != "tie"]
    given = await judges.session.side_by_side(
        [partial(_right, jury, asked, one, tick) for one in labelled]
    )
    known = [
        (right, one.prompt) for right, one in zip(given, labelled, strict=True) if right is not None
    ]
    interval = _interval(known, judges.session.config.split.similarity, draws)
    return Evaluator(
        fingerprint_of(judges),
        checked_on=name,
        accuracy=sum(right for right, _ in known) / len(known) if known else None,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        n=len(known),
        about=about,
        unjudged=len(labelled) - len(known),
    )


def _interval(
    known: Sequence[tuple[float, Prompt]], similarity: float, draws: int
) -> Interval | None:
    """Of the share of right verdicts; None where too few groups of prompts have one."""
    if not known:
        return None
    group_of = prompt_groups((prompt for _, prompt in known), similarity)
    right, groups = zip(*((value, group_of[prompt.id]) for value, prompt in known), strict=True)
    found = enough(share_interval(right, groups, draws=draws))
    return None if isinstance(found, TooFew) else found


async def _right(jury: Jury, plan: Plan, one: Comparison, tick: Callable[[], None]) -> float | None:
    """1 for a right verdict, ½ for none of both, 0 for a wrong one; None without a verdict."""
    # By hash, so that the place does not tell which answer was chosen.
    pair = as_pair(one.prompt, *one.answers)
    try:
        groups = judged_under(plan, one.prompt, pair)
        verdict = await jury.judge(one.prompt.messages, pair.first, pair.second, groups)
    except RowEngineError:
        return None
    finally:
        tick()
    return None if verdict.p is None else credit(verdict.p, float(pair.first == one.chosen))
