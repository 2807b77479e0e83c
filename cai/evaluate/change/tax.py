"""Answers to the questions of the tax of two models, question by question."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cai.evaluate.change.rows import rows_of
from cai.evaluate.tax.ask import Scored
from cai.evaluate.tax.report import tax_changes

if TYPE_CHECKING:
    from cai.evaluate.results import Figure, Result
    from cai.validation.statistics.intervals import Interval

__all__ = ["TaxPairs"]

_BEFORE, _AFTER = "the earlier model", "the later model"


class TaxPairs:
    """Changes of both models on the questions that both were asked."""

    def __init__(
        self, after: Result, subject: str, before: Result, other: str, draws: int = 2000
    ) -> None:
        """Compare them; `draws` is for other evaluations: Tango's interval needs none."""
        del draws
        self._own = {_AFTER: _scored(after, subject), _BEFORE: _scored(before, other)}
        asked = {name: {(one.area, one.item) for one in own} for name, own in self._own.items()}
        shared = asked[_AFTER] & asked[_BEFORE]
        same = {
            name: sorted((s for s in own if (s.area, s.item) in shared), key=_place)
            for name, own in self._own.items()
        }
        found = tax_changes(same, _BEFORE) if shared else []
        self._changes = {one.area: one for one in found}

    def difference(self, after: Figure, before: Figure) -> Interval | str | None:
        """The paired difference, or why it says nothing; None where there are no items."""
        change = self._changes.get(after.group)
        if after.name != "accuracy" or change is None:
            return None
        if not (self._makes(after, _AFTER) and self._makes(before, _BEFORE)):
            return None
        return change.unmeasured or change.paired.interval

    def _makes(self, figure: Figure, side: str) -> bool:
        read = [
            one.right
            for one in self._own[side]
            if one.right is not None and figure.group in ("all", one.area)
        ]
        if not read or figure.value is None:
            return False
        return math.isclose(sum(read) / len(read), figure.value, abs_tol=1e-9)


def _scored(result: Result, subject: str) -> list[Scored]:
    items = result.details.get("items")
    rows = rows_of(items if isinstance(items, dict) else {}, subject, "area", "item", "right")
    return [Scored(row["area"], row["item"], row["right"]) for row in rows]


def _place(one: Scored) -> tuple[str, str]:
    return one.area, one.item
