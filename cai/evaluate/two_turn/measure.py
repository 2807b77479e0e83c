"""Talking to subjects in two turns, and having each answer rated."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from cai.errors import RowEngineError
from cai.evaluate.helpful import TEMPLATE, points_of
from cai.evaluate.two_turn.records import Talk, TurnScore
from cai.records import Message, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cai.engines import Engine
    from cai.evaluate.records import Answered, Subject
    from cai.evaluate.session import Judges, Say, Session
    from cai.evaluate.two_turn.questions import Question
    from cai.judge.pointwise import PointwiseJudge

__all__ = ["converse", "judge_turns"]


async def converse(
    session: Session,
    subject: Subject,
    questions: Sequence[Question],
    *,
    engine: Engine | None = None,
    tick: Callable[[], None] = lambda: None,
) -> list[Talk]:
    """Both answers of a subject to each question; the second turn shows its own first answer.

    Args:
        session: keeps what was answered.
        subject: opened for this.
        questions: in any order.
        engine: in place of the one that the subject describes; it stays open.
        tick: called after each question.

    Raises:
        ConfigError: the model cannot be opened as described.
        FatalEngineError: it cannot be asked any more; what was answered is kept.
    """
    async with session.speaking(subject, engine=engine) as say:

        async def one(question: Question) -> Talk:
            found = await _talk(say, question)
            tick()
            return found

        return await session.side_by_side([partial(one, question) for question in questions])


async def _talk(say: Say, question: Question) -> Talk:
    turns: tuple[Message, ...] = ()
    answers: list[Answered] = []
    for text in question.turns:
        turns = (*turns, Message("user", text))
        answer = await say(Prompt(turns), 0)
        answers.append(answer)
        if not answer.usable:
            break
        turns = (*turns, Message("assistant", answer.text))
    return Talk(question, tuple(answers))


async def judge_turns(
    session: Session,
    judges: Judges,
    talks: Sequence[Talk],
    tick: Callable[[int], None] = lambda _: None,
) -> list[TurnScore]:
    """The points of each answer, first and second turn of each talk side by side.

    Raises:
        ConfigError: the template is missing.
        FatalEngineError: the judge cannot be asked any more; what was answered is kept.
    """
    judge = judges.pointwise(TEMPLATE)

    async def one(talk: Talk, answer: Answered) -> TurnScore:
        turn: Literal[1, 2] = 1 if len(answer.prompt.messages) == 1 else 2
        known = partial(TurnScore, answer.subject, talk.question, turn)
        found = known("unasked", text=answer.text, error=answer.error)
        if answer.usable:
            found = await _rated(judge, answer, known)
        elif not answer.error:
            found = known("empty", 1.0)
        tick(total)
        return found

    work = [partial(one, talk, answer) for talk in talks for answer in talk.answers]
    total = len(work)
    return await session.side_by_side(work)


async def _rated(
    judge: PointwiseJudge, answer: Answered, known: Callable[..., TurnScore]
) -> TurnScore:
    try:
        verdict = await judge.rate(answer.prompt.messages, answer.text)
    except RowEngineError as error:
        return known("unasked", text=answer.text, error=str(error))
    return known(verdict.outcome, points_of(verdict.value), answer.text)
