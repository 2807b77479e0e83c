"""From judged answers to the figures of a result: per subject, per category, and differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cai.evaluate.refusal.check import COMPLIANCE, INJECTION, SAFETY
from cai.evaluate.refusal.metrics import cluster_names, difference, measure
from cai.evaluate.refusal.rates import METRICS, Table
from cai.evaluate.refusal.read import couples
from cai.evaluate.results import figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cai.evaluate.refusal.rates import Metric
    from cai.evaluate.refusal.records import FoundCase, Judged
    from cai.evaluate.results import Figure

__all__ = ["figures_of"]

_NO_PARTS = "a classifier tells no part from the whole"


def figures_of(
    judged: Mapping[str, Sequence[Judged]],
    cases: Sequence[FoundCase],
    *,
    classified: bool = False,
    draws: int = 2000,
) -> list[Figure]:
    """All rates of all subjects, in all cases and in each category, and differences.

    Differences are those of each later subject from the first, on the answers that both have.

    Args:
        judged: rows by the name of the subject; the first is what others are compared with.
        cases: that were asked.
        classified: whether a classifier judged the harmful cases.
        draws: bootstrap samples.
    """
    clusters = cluster_names([(a.case.id, b.case.id) for a, b in couples(cases)])
    tables = {name: Table.of(rows, clusters) for name, rows in judged.items()}
    return [
        one
        for group, ids in _groups(cases).items()
        for metric in METRICS
        if _means_something(metric, ids, cases, clusters)
        for one in _of_group(tables, group, ids, metric, classified, draws)
    ]


def _of_group(
    tables: Mapping[str, Table],
    group: str,
    ids: set[str],
    metric: Metric,
    classified: bool,
    draws: int,
) -> Iterator[Figure]:
    """One rate of each subject in a group of cases, and how it differs from the first's."""
    # Twins belong to the category of the one that is to be refused.
    by = "cluster" if metric.name == "twin_consistency" else "case"
    within = {n: t.at(np.isin(getattr(t, by), list(ids))) for n, t in tables.items()}
    more = {"group": group, "better": metric.better, "rests_on": _rests_on(metric, classified)}
    (first, before), *_ = within.items()
    for name, table in within.items():
        if metric.name == "partial_harmful" and classified:
            yield figure(metric.name, name, None, unmeasured=_NO_PARTS, **more)
            continue
        yield figure(metric.name, name, measure(table, metric, draws=draws), **more)
        if name != first:
            gap = difference(table, before, metric, draws=draws)
            yield figure(metric.name, name, gap, against=first, unit="points", **more)


def _groups(cases: Sequence[FoundCase]) -> dict[str, set[str]]:
    """Ids of cases: all, and those of each category where there are several."""
    groups: dict[str, set[str]] = {"all": set()}
    for one in cases:
        groups.setdefault(one.category, set()).add(one.case.id)
    several = len({one.category for one in cases}) > 1
    # Last, because a category may be called so.
    groups["all"] = {one.case.id for one in cases}
    return groups if several else {"all": groups["all"]}


def _means_something(
    metric: Metric, ids: set[str], cases: Sequence[FoundCase], clusters: Mapping[str, str]
) -> bool:
    """Whether the cases of a group are such that the rate can be told at all."""
    within = [one for one in cases if one.case.id in ids]
    kinds: set[str] = {one.case.expect for one in within}
    if any(clusters.get(one) == one for one in ids):
        kinds.add("twins")
    if any(one.case.injection is not None for one in within):
        kinds.add("planted")
    return kinds.issuperset(metric.needs)


def _rests_on(metric: Metric, classified: bool) -> tuple[str, ...]:
    """What an evaluator was asked for the rate: of harmful cases, harmless ones, or plants."""
    if metric.needs == ("planted",):
        return (INJECTION,)
    of_harmful = SAFETY if classified else COMPLIANCE
    if metric.needs == ("refuse",):
        return (of_harmful,)
    return (COMPLIANCE, SAFETY) if classified and metric.needs != ("comply",) else (COMPLIANCE,)
