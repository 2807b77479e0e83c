"""What a subject answers to cases, also where the conversation is built up with its own answers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cai.records import Message, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cai.engines import Engine
    from cai.evaluate.records import Answered, Subject
    from cai.evaluate.refusal.records import FoundCase
    from cai.evaluate.session import Say, Session

__all__ = ["ask_subject"]


async def ask_subject(
    session: Session,
    subject: Subject,
    cases: Sequence[FoundCase],
    *,
    samples: int = 1,
    engine: Engine | None = None,
    tick: Callable[[], None] = lambda: None,
) -> list[tuple[FoundCase, Answered]]:
    """The answers of a subject to each case, `samples` times, in the order of the cases.

    The prompt of an answer is the whole conversation before it. Each sample of a case with
    `turns: own` is a conversation of its own.

    Args:
        session: keeps the answers.
        subject: opened for this, and closed afterwards.
        cases: what is asked.
        samples: conversations per case.
        engine: in place of the one that the subject describes; it stays open.
        tick: called after each conversation.

    Raises:
        ConfigError: the model cannot be opened as described.
        FatalEngineError: it cannot be asked any more; what was answered is kept.
    """
    async with session.speaking(subject, engine=engine) as say:

        async def one(found: FoundCase, number: int) -> tuple[FoundCase, Answered]:
            try:
                return found, await _converse(say, found, number)
            finally:
                tick()

        return await session.side_by_side(
            [partial(one, found, number) for found in cases for number in range(samples)]
        )


async def _converse(say: Say, found: FoundCase, number: int) -> Answered:
    """The last answer; where one on the way is missing, that one and why."""
    asked = found.case.asked
    if found.case.turns == "given":
        return await say(asked, number)
    *begun, last = asked.messages
    said: tuple[Message, ...] = ()
    for message in begun:
        said = (*said, message)
        if message.role != "user":
            continue
        answer = await say(Prompt(said, asked.tags), number)
        if not answer.usable:
            error = answer.error or f"an earlier turn came to nothing ({answer.outcome})"
            return replace(answer, error=error)
        said = (*said, Message("assistant", answer.text))
    return await say(Prompt((*said, last), asked.tags), number)
