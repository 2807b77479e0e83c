"""`adherence` from settings: how far the answers of models follow each principle."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from cai.constitution.case_files import load_cases
from cai.evaluate.adherence import adherence_result, check_judge, measure
from cai.evaluate.evaluator import fingerprint_of
from cai.evaluate.registered.prompts import asked_prompts
from cai.evaluate.registry import Evaluation, EvaluationSettings
from cai.evaluate.spread import spread
from cai.hashing import content_hash
from cai.intake import count_prompts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.adherence import Checked
    from cai.evaluate.records import Subject
    from cai.evaluate.registry import Tick
    from cai.evaluate.results import Result
    from cai.evaluate.session import Session

__all__ = ["EVALUATION", "AdherenceSettings"]


class AdherenceSettings(EvaluationSettings):
    """As the options of `cai evaluate adherence`."""

    prompts: str | None = None
    """File of prompts, or `starter`. When absent: those of the run's split dev, which nothing is
    trained on."""
    samples: int = Field(default=1, ge=1, le=64)
    """Answers per prompt."""
    propositions: bool = False
    """Asks for the statements of principles that have them, in place of a score."""
    checks: int | None = Field(default=None, ge=0)
    """Only so many test cases of the constitution check the judge; 0: none."""
    draws: int = Field(default=2000, ge=100)
    """Bootstrap samples of each interval."""


async def _measure(
    session: Session, subjects: Sequence[Subject], settings: AdherenceSettings, tick: Tick
) -> Result:
    asked = asked_prompts(session, settings.prompts, settings.limit)
    config, constitution = session.config, session.constitution
    statements = settings.propositions or config.judge.mode == "propositions"
    known = load_cases(constitution, config.constitution)
    two = [one for one in known if one.case.better is not None and one.case.principle is not None]
    cases = spread(two, lambda one: one.case.principle, settings.checks)
    answers, total = [], len(asked) * settings.samples
    for one in subjects:
        told = partial(tick, f"Answers of {one.name}", total)
        answers += await session.answers(one, asked, samples=settings.samples, tick=told)
    async with session.judges() as judges:
        checked = await check_judge(
            session,
            judges,
            cases,
            propositions=statements,
            tick=partial(tick, "Test cases of the judge"),
        )
        readings = await measure(
            session, judges, answers, propositions=statements, tick=partial(tick, "Answers judged")
        )
        judge = fingerprint_of(judges)
    return adherence_result(
        readings,
        checked,
        judge=judge,
        checked_on=f"test cases of {constitution.label}" if cases else "",
        similarity=config.split.similarity,
        draws=settings.draws,
        seed=config.loop.seed,
        inputs=content_hash(
            [[one.id for one in asked], constitution.hash, settings.samples, statements]
        ),
        notes=_notes(constitution.label, checked),
        constitution=constitution.hash,
    )


def _notes(label: str, checked: Sequence[Checked]) -> tuple[str, ...]:
    scale = (
        f"Scores under {label} are points from 1 to 10; statements of a principle are brought to "
        "the same scale. Intervals are clustered by groups of like prompts."
    )
    if checked:
        return (scale,)
    return (scale, "The judge was not checked on cases with a known outcome.")


def _read(settings: AdherenceSettings) -> None:
    if settings.prompts is not None:
        count_prompts(settings.prompts)


EVALUATION = Evaluation(AdherenceSettings, _measure, _read)
