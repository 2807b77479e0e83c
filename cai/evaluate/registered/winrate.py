"""`winrate` from settings: how often each model is preferred to the first one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cai.evaluate.registered.prompts import asked_prompts
from cai.evaluate.registry import Evaluation, EvaluationSettings
from cai.evaluate.winrate import (
    Check,
    ask_subjects,
    judge_contest,
    known_pairs,
    winrate_result,
)
from cai.intake import count_prompts
from cai.loop.judging import self_preference
from cai.validation.exchange import read_comparisons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.records import Subject
    from cai.evaluate.registry import Tick
    from cai.evaluate.results import Result
    from cai.evaluate.session import Session

__all__ = ["EVALUATION", "WinrateSettings"]


class WinrateSettings(EvaluationSettings):
    """As the options of `cai evaluate winrate`."""

    prompts: str | None = None
    """File of prompts, or `starter`. When absent: those of the run's split dev, which nothing is
    trained on."""
    scope: Literal["constitution", "each", "drawn"] | None = None
    """In place of `judge.scope`; `each` gives win rates by principle."""
    axes: tuple[str, ...] = ()
    """Tags of principles under which all is compared once more."""
    check: str | None = None
    """File of labelled pairs that the judge is tried on first, as for `cai judge bench`. When
    absent: the pairs that people have labelled in the run, or else the test cases of the
    constitution."""
    checks: int | None = Field(default=None, ge=0)
    """Only so many of the labelled pairs; 0: none, and win rates say that nobody has checked."""
    draws: int = Field(default=2000, ge=100)
    """Bootstrap samples of each interval."""


async def _measure(
    session: Session, subjects: Sequence[Subject], settings: WinrateSettings, tick: Tick
) -> Result:
    asked = asked_prompts(session, settings.prompts, settings.limit)
    check = check_of(session, settings, Path(session.config.run))
    total = len(asked) * len(subjects)
    contest = await ask_subjects(
        session, subjects, asked, base=subjects[0].name, tick=lambda: tick("Answers", total)
    )
    totals = {"check": len(check.comparisons) if check else 0}
    comparisons = len(contest.pairs) * len(contest.prompts)

    def judged_one(step: str) -> None:
        name = {"check": "Labelled pairs", "all": "Comparisons"}.get(step, f"Axis {step}")
        tick(name, totals.get(step, comparisons))

    async with session.judges() as judges:
        judged = await judge_contest(
            judges,
            contest,
            scope=settings.scope,
            axes=settings.axes,
            check=check,
            draws=settings.draws,
            tick=judged_one,
        )
    own = self_preference(session.config.models)
    notes = (own,) if own else ()
    result = winrate_result(contest, judged, draws=settings.draws, notes=notes)
    return replace(result, constitution=session.constitution.hash)


def check_of(session: Session, settings: WinrateSettings, run: Path | None) -> Check | None:
    """The labelled pairs of a file, or else those of the run or its constitution.

    Raises:
        ConfigError: a file of test cases does not fit.
        InputError: the file cannot be read, or holds none.
        StoreError: the run cannot be read.
    """
    if settings.check is None:
        ref = session.config.constitution
        return known_pairs(session.constitution, ref, run, settings.checks)
    return _of_file(settings) if settings.checks != 0 else None


def _of_file(settings: WinrateSettings) -> Check:
    path = Path(settings.check or "")
    found = read_comparisons(path, "human", "auto").comparisons
    return Check(path.name, found[: settings.checks])


def _read(settings: WinrateSettings) -> None:
    if settings.check is not None:
        _of_file(settings)
    if settings.prompts is not None:
        count_prompts(settings.prompts)


EVALUATION = Evaluation(WinrateSettings, _measure, _read, fewest=2)
