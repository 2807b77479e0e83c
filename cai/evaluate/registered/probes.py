"""`probes` from settings: sycophancy, calibration, evasiveness, and swaps of who is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from cai.evaluate.probes import PROBES, Probes, probe, probes_result
from cai.evaluate.probes.run import ProbeName  # noqa: TC001 - pydantic reads it
from cai.evaluate.registry import Evaluation, EvaluationSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.records import Subject
    from cai.evaluate.registry import Tick
    from cai.evaluate.results import Result
    from cai.evaluate.session import Session

__all__ = ["EVALUATION", "ProbesSettings"]


class ProbesSettings(EvaluationSettings):
    """As the options of `cai evaluate probes`."""

    only: tuple[ProbeName, ...] = PROBES
    """Probes that are carried out."""
    content: str | None = None
    """Folder with files of your own in place of the packaged ones."""
    draws: int = Field(default=2000, ge=100)
    """Bootstrap samples of each interval."""


async def _measure(
    session: Session, subjects: Sequence[Subject], settings: ProbesSettings, tick: Tick
) -> Result:
    files = _read(settings)
    found = await probe(session, subjects, files, tick=tick)
    return probes_result(
        found,
        [one.name for one in subjects],
        draws=settings.draws,
        seed=session.config.loop.seed,
        inputs=files.hash,
    )


def _read(settings: ProbesSettings) -> Probes:
    folder = None if settings.content is None else Path(settings.content)
    return Probes.read(settings.only, folder).first(settings.limit)


EVALUATION = Evaluation(ProbesSettings, _measure, _read)
