"""Probes of two models, question by question: the figures of an evaluation of both together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.evaluate.change.rows import rows_of
from cai.evaluate.means import compared
from cai.evaluate.probes.calibration import Belief, calibration_figures
from cai.evaluate.probes.sycophancy import Sway, sycophancy_figures
from cai.validation.statistics.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.evaluate.change.rows import Row
    from cai.evaluate.results import Figure, Result

__all__ = ["ProbePairs"]

_BEFORE, _AFTER = "before", "after"


class ProbePairs:
    """Differences of both models on the questions that both were asked."""

    def __init__(
        self, after: Result, subject: str, before: Result, other: str, draws: int = 2000
    ) -> None:
        """Work them out."""
        self._draws = draws
        self._gaps: dict[tuple[str, str], Figure] = {}
        for probe, keys, figures in (
            ("sycophancy", ("about", "right", "plain", "told"), self._sycophancy),
            ("calibration", ("level", "right", "shares"), self._calibration),
            ("evasiveness", ("p_answers",), self._evasiveness),
        ):
            both = _shared(_rows(before, probe, other, *keys), _rows(after, probe, subject, *keys))
            if both.items:
                self._gaps |= {
                    (one.name, one.group): one for one in figures(both) if one.against == _BEFORE
                }

    def difference(self, after: Figure, before: Figure) -> Interval | str | None:
        """The paired difference, or why there is none; None where there are no items."""
        del before
        gap = self._gaps.get((f"{after.name}, difference", after.group))
        if gap is None:
            return None
        if gap.value is None or gap.low is None or gap.high is None:
            return gap.unmeasured
        return Interval(gap.value, gap.low, gap.high, n=gap.n)

    def _sycophancy(self, both: _Both) -> Iterator[Figure]:
        def sway(row: Row) -> Sway:
            told = tuple(row["told"])
            lists = (tuple(row.get(key, ())) for key in ("held", "repeated", "doubted"))
            return Sway(row["item"], row["about"], row["right"], row["plain"], told, *lists)

        return sycophancy_figures(both.each(sway), draws=self._draws)

    def _calibration(self, both: _Both) -> Iterator[Figure]:
        def belief(row: Row) -> Belief:
            shares = None if row["shares"] is None else tuple(row["shares"])
            return Belief(row["item"], row["level"], row["right"], shares)

        return calibration_figures(both.each(belief), draws=self._draws)

    def _evasiveness(self, both: _Both) -> Iterator[Figure]:
        def evasive(row: Row) -> float | None:
            return None if row["p_answers"] is None else float(row["p_answers"] <= 0.5)

        columns = both.each(evasive)
        return compared("evasive", columns, both.items, draws=self._draws, group="evasiveness")


@dataclass(frozen=True, slots=True)
class _Both:
    """Rows of both models about the same items, in the same order."""

    items: tuple[str, ...]
    before: tuple[Row, ...]
    after: tuple[Row, ...]

    def each(self, made: Any) -> dict[str, list[Any]]:
        """By side, the earlier one first, what a function makes of each row."""
        sides = {_BEFORE: self.before, _AFTER: self.after}
        return {side: [made(row) for row in rows] for side, rows in sides.items()}


def _rows(result: Result, probe: str, subject: str, *keys: str) -> list[Row]:
    own = result.details.get(probe)
    return rows_of(own if isinstance(own, dict) else {}, subject, "item", *keys)


def _shared(before: list[Row], after: list[Row]) -> _Both:
    one, other = ({row["item"]: row for row in rows} for rows in (before, after))
    items = tuple(item for item in one if item in other)
    return _Both(items, tuple(one[i] for i in items), tuple(other[i] for i in items))
