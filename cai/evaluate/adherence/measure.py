"""Asking subjects, and then the judge about each of their answers under each principle."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from cai.errors import RowEngineError
from cai.evaluate.adherence.reader import PrincipleReader
from cai.evaluate.adherence.records import Checked, Finding, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cai.constitution.case_files import FoundCase
    from cai.constitution.models import Principle
    from cai.evaluate.records import Answered
    from cai.evaluate.session import Judges, Session

__all__ = ["check_judge", "measure"]


async def measure(
    session: Session,
    judges: Judges,
    answers: Sequence[Answered],
    *,
    propositions: bool = False,
    tick: Callable[[int], None] = lambda _: None,
) -> list[Reading]:
    """What the judge finds of each answer, in the order of answers and principles.

    An answer without text is not shown to the judge and has no value. An answer to a prompt that
    is under no principle gives no reading.

    Args:
        session: of the judges.
        judges: the first of them is asked.
        answers: of any subjects.
        propositions: whether to ask for the statements of principles that have them.
        tick: told how many readings there will be, after each.

    Raises:
        ConfigError: the judge cannot be asked in this way.
        FatalEngineError: it cannot be asked any more; what was answered is kept.
    """
    plan = judges.plan(mode="score", scope="each")
    reader = PrincipleReader(judges, plan, propositions=propositions)

    under: dict[str, tuple[Principle, ...]] = {}
    for answer in answers:
        if answer.prompt.id not in under:
            try:
                under[answer.prompt.id] = plan.scopes.judging(answer.prompt).ranked
            except RowEngineError:
                under[answer.prompt.id] = ()

    async def one(answer: Answered, principle: Principle) -> Reading:
        if answer.usable:
            found = await reader.read(answer.prompt.messages, answer.text, principle)
        else:
            silence: Literal["unasked", "empty"] = "unasked" if answer.error else "empty"
            found = Finding(silence, reader.how(principle), error=answer.error)
        tick(total)
        return Reading(answer, principle.id, found)

    work = [partial(one, a, p) for a in answers for p in under[a.prompt.id]]
    total = len(work)
    return await session.side_by_side(work)


async def check_judge(
    session: Session,
    judges: Judges,
    cases: Sequence[FoundCase],
    *,
    propositions: bool = False,
    tick: Callable[[int], None] = lambda _: None,
) -> list[Checked]:
    """Read both answers of each case that has two and names a principle, one at a time.

    Arguments and errors are those of `measure`; other cases are passed over.
    """
    reader = PrincipleReader(
        judges, judges.plan(mode="score", scope="each"), propositions=propositions
    )

    async def one(found: FoundCase) -> Checked:
        case = found.case
        principle = session.constitution[case.principle or ""]
        both = [
            await reader.read(case.messages, text or "", principle)
            for text in (case.better, case.worse)
        ]
        tick(len(two))
        return Checked(case.id, principle.id, *both)

    two = [one for one in cases if one.case.better is not None and one.case.principle is not None]
    return await session.side_by_side([partial(one, found) for found in two])
