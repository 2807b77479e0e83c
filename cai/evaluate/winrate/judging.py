"""The judge's word on the answers of subjects, pair by pair."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from cai.errors import RowEngineError
from cai.evaluate.evaluator import as_pair
from cai.evaluate.winrate.records import CREDIT, Duel, DuelOutcome, Under
from cai.loop.under import judged_under

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cai.evaluate.records import Answered
    from cai.evaluate.session import Judges
    from cai.evaluate.winrate.records import Contest
    from cai.judge import Jury
    from cai.loop.plan import Plan
    from cai.records import PrincipleVerdict

__all__ = ["judge_duels"]


async def judge_duels(
    judges: Judges,
    plan: Plan,
    contest: Contest,
    *,
    tick: Callable[[], None] = lambda: None,
) -> list[Duel]:
    """Compare the answers of all pairs of a contest to all prompts.

    Args:
        judges: to be asked.
        plan: how; from `Judges.plan` with both orders.
        contest: who is compared.
        tick: called after each comparison.

    Raises:
        FatalEngineError: a judge cannot be asked any more; what was answered is kept.
    """
    jury = judges.jury(plan)
    work = []
    for first, second in contest.pairs:
        for one, other in zip(contest.answers[first], contest.answers[second], strict=True):
            work.append(partial(_duel, jury, plan, contest, one, other, tick))
    return await judges.session.side_by_side(work)


async def _duel(
    jury: Jury,
    plan: Plan,
    contest: Contest,
    one: Answered,
    other: Answered,
    tick: Callable[[], None],
) -> Duel:
    prompt = one.prompt

    def found(
        outcome: DuelOutcome,
        p: float | None = None,
        under: tuple[Under, ...] = (),
        error: str = "",
    ) -> Duel:
        return Duel(
            prompt_id=prompt.id,
            group=contest.groups[prompt.id],
            tags=prompt.tags,
            first=one.subject,
            second=other.subject,
            lengths=(len(one.text), len(other.text)),
            outcome=outcome,
            p=p,
            under=under,
            error=error,
        )

    try:
        if not (one.usable and other.usable):
            return found("no answer", error=one.error or other.error)
        pair = as_pair(prompt, one.text, other.text)
        groups = judged_under(plan, prompt, pair)
        if one.text == other.text:
            alike = tuple(Under(_name([p.id for p in group]), 0.5) for group in groups)
            return found("identical", 0.5, alike)
        verdict = await jury.judge(prompt.messages, pair.first, pair.second, groups)
    except RowEngineError as error:
        return found("failed", error=str(error))
    finally:
        tick()
    return found(verdict.outcome, verdict.p, _under(verdict.principles))


def _under(verdicts: Sequence[PrincipleVerdict]) -> tuple[Under, ...]:
    """By principle; several judges of a panel are put together."""
    by_name: dict[str, list[PrincipleVerdict]] = defaultdict(list)
    for one in verdicts:
        if not one.superseded:
            by_name[_name(one.principle_ids)].append(one)
    found = []
    for name, those in by_name.items():
        credits = [CREDIT[one.outcome] for one in those if one.outcome in CREDIT]
        flipped = [one.flipped for one in those if one.flipped is not None]
        credit = sum(credits) / len(credits) if credits else None
        found.append(Under(name, credit, sum(flipped), len(flipped)))
    return tuple(found)


def _name(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{len(ids)} principles together"
