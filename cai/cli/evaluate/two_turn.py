"""`cai evaluate two-turn`: how helpful models are in two turns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.evaluate.running import ConfigFile, Folder, JudgeModel, JudgesEngine, Settings
from cai.cli.evaluate.subjects import SubjectOption
from cai.cli.judge.options import Draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.cli.evaluate.running import Ticker
    from cai.evaluate.records import Subject
    from cai.evaluate.results import Evaluator
    from cai.evaluate.session import Session
    from cai.evaluate.two_turn import Question, TurnScore

__all__ = ["two_turn"]


def two_turn(
    questions: Annotated[
        Path,
        typer.Option(help="JSONL in the form of MT-bench: question_id, category, two turns."),
    ],
    subject: SubjectOption = None,
    config: ConfigFile = None,
    engine: JudgesEngine = None,
    judge: JudgeModel = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many questions, spread over categories.")
    ] = None,
    checks: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Only so many of the packaged pairs check the judge; 0: none. All if absent.",
        ),
    ] = None,
    folder: Folder = None,
    setting: Settings = None,
    draws: Draws = 2000,
) -> None:
    """Let models answer two turns of a conversation, and rate each answer from 1 to 10.

    The judge is first checked on packaged pairs of a more and a less helpful answer; where it is
    not above chance there, no points are given. Start the same command again to go on after a
    stop, or with a larger --limit; nothing that was answered is asked again.

    Example: cai evaluate two-turn --questions question.jsonl --subject models/dpo
    """
    import asyncio

    from cai.cli.evaluate.running import Ticker, finish, open_settings, print_figures, spent
    from cai.cli.evaluate.subjects import parse_subjects
    from cai.constitution import load_constitution
    from cai.evaluate.session import Session
    from cai.evaluate.spread import spread
    from cai.evaluate.two_turn import read_questions, two_turn_result
    from cai.hashing import content_hash

    asked = spread(read_questions(questions), lambda one: one.category, limit)
    settings = open_settings(config, setting, engine, judge)
    subjects = parse_subjects(subject, settings)
    where = folder or Path("runs") / "evaluate-two-turn"
    with Session(settings, load_constitution(settings.constitution), where) as session:
        ticker = Ticker(session.meter)
        scores, evaluator = asyncio.run(_carry_out(session, subjects, asked, checks, ticker))
        result = two_turn_result(
            scores,
            [one.name for one in subjects],
            evaluator,
            draws=draws,
            seed=settings.loop.seed,
            inputs=content_hash([[one.id, list(one.turns)] for one in asked]),
            notes=_notes(evaluator),
            **spent(session),
        )
        print_figures("Helpfulness in two turns, 1 to 10", result.figures)
    finish(result, where, session.meter)


async def _carry_out(
    session: Session,
    subjects: Sequence[Subject],
    questions: Sequence[Question],
    checks: int | None,
    ticker: Ticker,
) -> tuple[list[TurnScore], Evaluator]:
    from functools import partial

    from cai.evaluate.two_turn import check_helpful, converse, judge_turns
    from cai.evaluate.two_turn.measure import labelled_pairs

    talks = []
    for one in subjects:
        tick = partial(ticker.tick, f"Talks with {one.name}", len(questions))
        talks += await converse(session, one, questions, tick=tick)
    async with session.judges() as judges:
        evaluator = await check_helpful(
            session,
            judges,
            labelled_pairs()[:checks],
            tick=partial(ticker.tick, "Labelled pairs"),
        )
        scores = await judge_turns(session, judges, talks, partial(ticker.tick, "Answers rated"))
    return scores, evaluator


def _notes(evaluator: Evaluator) -> tuple[str, ...]:
    scale = "Points are from 1 to 10; the second turn shows the subject's own first answer."
    if evaluator.checked_on:
        return (scale,)
    return (scale, "The judge was not checked on pairs whose better answer is known.")
