"""`two-turn` from settings: how helpful models are in two turns."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from cai.evaluate.registry import Evaluation, EvaluationSettings
from cai.evaluate.spread import spread
from cai.evaluate.two_turn import (
    check_helpful,
    converse,
    judge_turns,
    labelled_pairs,
    read_questions,
    two_turn_result,
)
from cai.hashing import content_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.records import Subject
    from cai.evaluate.registry import Tick
    from cai.evaluate.results import Evaluator, Result
    from cai.evaluate.session import Session
    from cai.evaluate.two_turn import Question

__all__ = ["EVALUATION", "TwoTurnSettings"]


class TwoTurnSettings(EvaluationSettings):
    """As the options of `cai evaluate two-turn`."""

    questions: str
    """JSONL in the form of MT-bench: `question_id`, `category`, two `turns`."""
    checks: int | None = Field(default=None, ge=0)
    """Only so many of the packaged pairs check the judge; 0: none."""
    draws: int = Field(default=2000, ge=100)
    """Bootstrap samples of each interval."""


async def _measure(
    session: Session, subjects: Sequence[Subject], settings: TwoTurnSettings, tick: Tick
) -> Result:
    asked = _read(settings)
    talks = []
    for one in subjects:
        told = partial(tick, f"Talks with {one.name}", len(asked))
        talks += await converse(session, one, asked, tick=told)
    async with session.judges() as judges:
        evaluator = await check_helpful(
            session,
            judges,
            labelled_pairs()[: settings.checks],
            tick=partial(tick, "Labelled pairs"),
        )
        scores = await judge_turns(session, judges, talks, partial(tick, "Answers rated"))
    return two_turn_result(
        scores,
        [one.name for one in subjects],
        evaluator,
        draws=settings.draws,
        seed=session.config.loop.seed,
        inputs=content_hash([[one.id, list(one.turns)] for one in asked]),
        notes=_notes(evaluator),
    )


def _notes(evaluator: Evaluator) -> tuple[str, ...]:
    scale = "Points are from 1 to 10; the second turn shows the subject's own first answer."
    if evaluator.checked_on:
        return (scale,)
    return (scale, "The judge was not checked on pairs whose better answer is known.")


def _read(settings: TwoTurnSettings) -> list[Question]:
    questions = read_questions(Path(settings.questions))
    return spread(questions, lambda one: one.category, settings.limit)


EVALUATION = Evaluation(TwoTurnSettings, _measure, _read)
