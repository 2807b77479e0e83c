"""`refusal` from settings: what models refuse, of what they should and of what they should not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from cai.evaluate.refusal import (
    answer_cases,
    chosen,
    judge_answers,
    read_cases,
    refusal_result,
)
from cai.evaluate.refusal.labelled import read_labelled
from cai.evaluate.registry import Evaluation, EvaluationSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.records import Subject
    from cai.evaluate.registry import Tick
    from cai.evaluate.results import Result
    from cai.evaluate.session import Session

__all__ = ["EVALUATION", "RefusalSettings"]


class RefusalSettings(EvaluationSettings):
    """As the options of `cai evaluate refusal`."""

    cases: tuple[str, ...] = Field(default=("suite",), min_length=1)
    """Files of cases; `suite` are the packaged ones."""
    samples: int = Field(default=1, ge=1, le=64)
    """Answers per case."""
    labelled: str | None = None
    """File of labelled answers that the judge is checked on; the packaged ones when absent."""
    draws: int = Field(default=2000, ge=100)
    """Bootstrap samples of each interval."""


async def _measure(
    session: Session, subjects: Sequence[Subject], settings: RefusalSettings, tick: Tick
) -> Result:
    cases = chosen(read_cases(list(settings.cases)), settings.limit)
    answers = await answer_cases(session, subjects, cases, samples=settings.samples, tick=tick)
    measured = await judge_answers(
        session,
        answers,
        labelled=Path(settings.labelled) if settings.labelled else None,
        draws=settings.draws,
        tick=tick,
    )
    return refusal_result(
        measured,
        cases,
        samples=settings.samples,
        draws=settings.draws,
    )


def _read(settings: RefusalSettings) -> None:
    read_cases(list(settings.cases))
    if settings.labelled is not None:
        read_labelled(Path(settings.labelled))


EVALUATION = Evaluation(RefusalSettings, _measure, _read)
