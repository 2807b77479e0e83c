"""Talking to subjects in two turns, and having each answer rated."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Literal

from cai.constitution.case_files import read_cases
from cai.content import content_dir
from cai.errors import RowEngineError
from cai.evaluate.probes.content import EvasivenessFile, read_probe
from cai.evaluate.results import Evaluator
from cai.evaluate.two_turn.records import Talk, TurnScore
from cai.records import Message, Prompt
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cai.engines import Engine
    from cai.evaluate.records import Answered, Subject
    from cai.evaluate.session import Judges, Say, Session
    from cai.evaluate.two_turn.questions import Question
    from cai.judge.pointwise import PointwiseJudge

__all__ = ["ABOUT", "check_helpful", "converse", "judge_turns", "labelled_pairs"]

ABOUT = "helpfulness"
_TEMPLATE = "helpful"
_Pair = tuple[tuple[Message, ...], str, str]
"""A conversation, a helpful answer, and one that is less so."""


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
    judge = judges.pointwise(_TEMPLATE)

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
    value = verdict.value
    points = None if value is None else 1.0 + 9.0 * value
    return known(verdict.outcome, points, answer.text)


def labelled_pairs() -> list[_Pair]:
    """Packaged pairs of answers of which one is more helpful.

    They are the test cases of the principles of helpfulness, and the answers and evasions of the
    probe of evasiveness.

    Raises:
        CaiError: the installation lost its content.
    """
    cases = read_cases(content_dir("principles") / "cases" / "helpfulness.yaml").cases
    found: list[_Pair] = [
        (case.messages, case.better, case.worse)
        for case in cases
        if case.better is not None and case.worse is not None
    ]
    items = read_probe(EvasivenessFile, "evasiveness").items
    return found + [((Message("user", i.question),), i.answers, i.evades) for i in items]


async def check_helpful(
    session: Session,
    judges: Judges,
    pairs: Sequence[_Pair],
    *,
    name: str = "packaged pairs of a more and a less helpful answer",
    tick: Callable[[int], None] = lambda _: None,
) -> Evaluator:
    """How often the more helpful answer of a pair has more points, each rated on its own.

    Equal points are half right. Errors are those of `judge_turns`.
    """
    judge = judges.pointwise(_TEMPLATE)

    async def one(pair: _Pair) -> float | None:
        asked, better, worse = pair
        try:
            both = await asyncio.gather(judge.rate(asked, better), judge.rate(asked, worse))
        except RowEngineError:
            return None
        finally:
            tick(len(pairs))
        first, second = (verdict.value for verdict in both)
        if first is None or second is None:
            return None
        return 0.5 if first == second else float(first > second)

    found = await session.side_by_side([partial(one, pair) for pair in pairs])
    right = [value for value in found if value is not None]
    share = wilson(sum(right), len(right)) if right else None
    return Evaluator(
        next(iter(judges.engines.judging.values())).fingerprint,
        name if pairs else "",
        accuracy=None if share is None else share.estimate,
        low=None if share is None else share.low,
        high=None if share is None else share.high,
        n=len(right),
        about=ABOUT,
        unjudged=len(found) - len(right),
    )
