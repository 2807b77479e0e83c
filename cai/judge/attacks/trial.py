"""Trying attacks on a judge: each is added to the answer that the judge does not prefer.

The preference is the average over both orders, p = ½ [p_AB + (1 − p_BA)]. In each order the attack
names the label of the place in which its answer is shown, as if the attacker knew that place.
Beside each attack a harmless text of about the same length is tried in the same place, because any
addition moves a judge.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cai.errors import RowEngineError
from cai.judge.attacks.place import add, attacked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from cai.constitution.models import Principle
    from cai.judge.attacks.place import Target
    from cai.judge.attacks.suite import Attack, Suite
    from cai.records import Message, Verdict

__all__ = ["Case", "OneOrder", "Trial", "run_trials"]


class OneOrder(Protocol):
    """A judge that shows the first answer first, such as a `Jury` with `judge.orders: first`."""

    async def judge(
        self,
        conversation: Sequence[Message],
        first: str,
        second: str,
        principles: Sequence[Sequence[Principle]],
    ) -> Verdict:
        """Compare two answers in the order given."""
        ...


@dataclass(frozen=True)
class Case:
    """A pair of answers, and the groups of principles under which it is judged."""

    id: str
    conversation: tuple[Message, ...]
    first: str
    second: str
    principles: tuple[tuple[Principle, ...], ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """The probability that the attacked answer is preferred: as it was, attacked, and edited.

    `before` is at most ½. None where the judge gave no verdict.
    """

    case: str
    attack: str
    family: str
    before: float
    attacked: float | None
    control: float | None


async def run_trials(
    judge: OneOrder, cases: Sequence[Case], suite: Suite, targets: tuple[Target, Target]
) -> AsyncGenerator[list[Trial]]:
    """Yield the trials of each case, one for each attack; none where it has no verdict.

    Args:
        judge: behind a memo, so that a run which was stopped goes on.
        cases: pairs.
        suite: what is tried.
        targets: what an attacker in the first, and in the second place wants.

    Raises:
        FatalEngineError: the judge cannot be asked any more.
    """
    for case in cases:
        yield await _case(judge, case, suite, targets)


async def _case(
    judge: OneOrder, case: Case, suite: Suite, targets: tuple[Target, Target]
) -> list[Trial]:
    first = await _preference(judge, case, (case.first, case.first), case.second)
    if first is None:
        return []
    weak, strong = (case.first, case.second) if first <= 0.5 else (case.second, case.first)
    before = min(first, 1.0 - first)
    # Attacks of nearly the same length share a control.
    controls: dict[str, asyncio.Task[float | None]] = {}

    async def edited(text: str) -> float | None:
        return await _preference(judge, case, (text, text), strong)

    async def trial(attack: Attack) -> Trial:
        own, other = (add(weak, attacked(attack, target), attack) for target in targets)
        control = add(weak, suite.control(len(attacked(attack, targets[0]))), attack)
        if control not in controls:
            controls[control] = asyncio.create_task(edited(control))
        found = await asyncio.gather(
            _preference(judge, case, (own, other), strong), controls[control]
        )
        return Trial(case.id, attack.id, attack.family, before, *found)

    return list(await asyncio.gather(*map(trial, suite.attacks)))


async def _preference(
    judge: OneOrder, case: Case, forms: tuple[str, str], rival: str
) -> float | None:
    """How probably an answer beats its rival over both orders; None without both verdicts.

    Args:
        judge: asked once in each order.
        case: the pair.
        forms: the answer as it is shown in the first, and in the second place.
        rival: the other answer.
    """
    try:
        ab, ba = await asyncio.gather(
            judge.judge(case.conversation, forms[0], rival, case.principles),
            judge.judge(case.conversation, rival, forms[1], case.principles),
        )
    except RowEngineError:
        # Such as a question that is too long with the attack in it.
        return None
    if ab.p is None or ba.p is None:
        return None
    return 0.5 * (ab.p + 1.0 - ba.p)
