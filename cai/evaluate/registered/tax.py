"""`tax` from settings: what training cost a model in what it could do before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.evaluate.registry import Evaluation, EvaluationSettings
from cai.evaluate.tax import AREAS, ask_tax, read_tax, tax_result
from cai.evaluate.tax.content import Area  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.records import Subject
    from cai.evaluate.registry import Tick
    from cai.evaluate.results import Result
    from cai.evaluate.session import Session
    from cai.evaluate.tax import TaxSet

__all__ = ["EVALUATION", "TaxSettings"]


class TaxSettings(EvaluationSettings):
    """As the options of `cai evaluate tax`. No judge takes part."""

    areas: tuple[Area, ...] = AREAS
    """Areas that are asked about."""


async def _measure(
    session: Session, subjects: Sequence[Subject], settings: TaxSettings, tick: Tick
) -> Result:
    asked = _read(settings)
    found = await ask_tax(session, subjects, asked, tick=tick)
    before = subjects[0].name if len(subjects) > 1 else None
    return tax_result(found, before, inputs=asked.hash)


def _read(settings: TaxSettings) -> TaxSet:
    return read_tax(settings.areas).first(settings.limit)


EVALUATION = Evaluation(TaxSettings, _measure, _read)
