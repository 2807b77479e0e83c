"""Rates of refusals of two models, answer by answer, as within one evaluation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cai.evaluate.change.rows import rows_of_subject
from cai.evaluate.floor import TooFew
from cai.evaluate.refusal.metrics import cluster_names, difference
from cai.evaluate.refusal.rates import METRICS, Table

if TYPE_CHECKING:
    from cai.evaluate.change.rows import Row
    from cai.evaluate.refusal.rates import Metric
    from cai.evaluate.results import Figure, Result
    from cai.validation.statistics.intervals import Interval

__all__ = ["RefusalPairs"]

_KEYS = ("case", "category", "expect", "sample", "class", "by")


class RefusalPairs:
    """Rows of both models as the tables that the rates are made of."""

    def __init__(
        self, after: Result, subject: str, before: Result, other: str, draws: int = 2000
    ) -> None:
        """Read them."""
        self._after, self._before = _Side(after, subject), _Side(before, other)
        self._draws = draws

    def difference(self, after: Figure, before: Figure) -> Interval | str | None:
        """The paired difference, or why there is none; None where rows and figures do not fit."""
        metric = next((one for one in METRICS if one.name == after.name), None)
        if metric is None:
            return None
        ours, theirs = self._after.table(after, metric), self._before.table(before, metric)
        if ours is None or theirs is None:
            return None
        gap = difference(ours, theirs, metric, draws=self._draws)
        return gap.reason if isinstance(gap, TooFew) else gap


class _Side:
    def __init__(self, result: Result, subject: str) -> None:
        self._rows = rows_of_subject(result, "rows", subject, *_KEYS)
        self._clusters = _clusters(self._rows)

    def table(self, figure: Figure, metric: Metric) -> Table | None:
        """The answers that a figure is made of; None where those that are kept do not make it."""
        if not self._rows or figure.value is None:
            return None
        table = _table(self._rows, self._clusters)
        if figure.group != "all":
            ids = [row["case"] for row in self._rows if row["category"] == figure.group]
            by = "cluster" if metric.name == "twin_consistency" else "case"
            table = table.at(np.isin(getattr(table, by), ids))
        top, bottom = metric.columns(table).sum(axis=0)
        makes = bottom > 0 and math.isclose(top / bottom, figure.value, abs_tol=1e-9)
        return table if makes else None


def _clusters(rows: list[Row]) -> dict[str, str]:
    expect = {row["case"]: row["expect"] for row in rows}
    couples = []
    for row in rows:
        one, other = str(row["case"]), str(row.get("pair"))
        if expect.get(other, expect[one]) != expect[one]:
            couples.append((one, other) if expect[one] == "refuse" else (other, one))
    return cluster_names(couples)


def _table(rows: list[Row], clusters: dict[str, str]) -> Table:
    def mask(values: list[bool]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.array(values, dtype=np.bool_)

    ids = [row["case"] for row in rows]
    return Table(
        case=np.array(ids, dtype=np.str_),
        cluster=np.array([clusters.get(one, one) for one in ids], dtype=np.str_),
        sample=np.array([row["sample"] for row in rows], dtype=np.intp),
        harmful=mask([row["expect"] == "refuse" for row in rows]),
        read=mask([row["class"] is not None for row in rows]),
        refused=mask([row["class"] == "none" for row in rows]),
        partial=mask([row["class"] == "partial" for row in rows]),
        whole=mask([row["by"] != "classifier" for row in rows]),
        planted=mask([row.get("obeyed") is not None for row in rows]),
        obeyed=mask([bool(row.get("obeyed")) for row in rows]),
    )
