"""Figures that are means over items: their values item by item, and the paired difference."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cai.evaluate.change.rows import rows_of, rows_of_subject
from cai.evaluate.floor import LEAST_CLUSTERS, TooFew
from cai.evaluate.means import Means
from cai.evaluate.tax.paired import tango
from cai.evaluate.winrate.records import CREDIT
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from cai.evaluate.results import Figure, Kind, Result
    from cai.validation.statistics.intervals import Interval

    Key = tuple[Hashable, ...]
    Reader = Callable[[Result, Figure], "Column"]

__all__ = ["READERS", "Column", "paired_columns"]


@dataclass(frozen=True, slots=True)
class Column:
    """The value of each item, and the cluster that the item belongs to."""

    values: Mapping[Key, float]
    cluster: Mapping[Key, Hashable]

    @classmethod
    def of(cls, rows: Iterable[tuple[Key, Hashable, float | None]]) -> Column:
        """From key, cluster and value; rows without a value are left out."""
        known = [(key, cluster, value) for key, cluster, value in rows if value is not None]
        return cls({k: v for k, _, v in known}, {k: c for k, c, _ in known})

    def makes(self, figure: Figure) -> bool:
        """Whether the mean of the values is the figure: else these are not its items."""
        if not self.values or figure.value is None:
            return False
        mean = math.fsum(self.values.values()) / len(self.values)
        return math.isclose(mean, figure.value, rel_tol=1e-9, abs_tol=1e-9)


def paired_columns(
    after: Column, before: Column, *, share: bool, draws: int = 2000
) -> Interval | str | None:
    """The mean difference over the items of both, drawn by cluster (BCa).

    Where all values are 0 or 1 and no cluster has two items, Tango's interval takes its place. Of
    shares that differ alike in every draw, the interval is as wide as Wilson's says that so many
    trials without another outcome allow.

    Returns:
        A text that says so where they have too few clusters in common, and None where nothing.
    """
    keys = [key for key in after.values if key in before.values]
    one, other = ([side.values[key] for key in keys] for side in (after, before))
    clusters = [after.cluster[key] for key in keys]
    single = len(set(clusters)) == len(keys)
    if len(keys) >= LEAST_CLUSTERS and single and {*one, *other} <= {0.0, 1.0}:
        gained = sum(a > b for a, b in zip(one, other, strict=True))
        lost = sum(a < b for a, b in zip(one, other, strict=True))
        return tango(gained, lost, len(keys))
    found = Means(clusters, draws=draws).difference(one, other)
    if isinstance(found, TooFew):
        return found.reason
    if found is None or not share or found.low < found.high:
        return found
    half = 1.0 - wilson(found.n, found.n).low
    return replace(
        found, low=max(found.estimate - half, -1.0), high=min(found.estimate + half, 1.0)
    )


def _adherence(result: Result, figure: Figure) -> Column:
    keys = ("prompt", "sample", "principle", "points")
    rows = rows_of_subject(result, "readings", figure.subject, *keys)
    if figure.group != "all":
        rows = [row for row in rows if row["principle"] == figure.group]
    points: dict[Key, list[float]] = {}
    for row in rows:
        if row["points"] is not None:
            points.setdefault((row["prompt"], row["sample"]), []).append(row["points"])
    return Column.of((key, key[0], math.fsum(own) / len(own)) for key, own in points.items())


def _two_turn(result: Result, figure: Figure) -> Column:
    rows = rows_of_subject(result, "rows", figure.subject, "question", "category", "turn", "points")
    if figure.group != "all":
        rows = [row for row in rows if f"category {row['category']}" == figure.group]
    points = {(row["question"], row["turn"]): row["points"] for row in rows}
    questions = dict.fromkeys(row["question"] for row in rows)
    if figure.name == "turn 2 less turn 1":
        both = ((q, points.get((q, 1)), points.get((q, 2))) for q in questions)
        return Column.of(((q,), q, None if a is None or b is None else b - a) for q, a, b in both)
    turn = {"turn 1": 1, "turn 2": 2}.get(figure.name)
    return Column.of(((q,), q, points.get((q, turn))) for q in questions)


def _winrate(result: Result, figure: Figure) -> Column:
    rows = rows_of(
        result.details, "duels", "axis", "first", "second", "prompt_id", "group", "outcome", "tags"
    )
    sides = figure.subject, figure.against
    own = [r for r in rows if r["axis"] == "all" and (r["first"], r["second"]) == sides]
    kind, _, name = figure.group.partition(" ")
    if figure.name not in ("win rate", "preference") or kind not in ("all", "tag"):
        return Column({}, {})
    if kind == "tag":
        own = [row for row in own if name in row["tags"]]
    worth = (
        (row, row["p"] if figure.name == "preference" else CREDIT.get(row["outcome"]))
        for row in own
    )
    return Column.of(((row["prompt_id"],), row["group"], value) for row, value in worth)


def _reward_model(result: Result, figure: Figure) -> Column:
    lengths = ("chosen_length", "rejected_length")
    rows = rows_of(result.details, "pairs", "group", "subset", "chosen", "rejected", *lengths)
    gaps = {"chosen is longer": 1, "chosen is shorter": -1}
    subsets = {row["subset"] or "(no subset)" for row in rows}

    def counts(row: dict[str, float]) -> bool:
        if figure.group in gaps:
            return (row["chosen_length"] - row["rejected_length"]) * gaps[figure.group] > 0
        return figure.group == "all" or (row["subset"] or "(no subset)") == figure.group

    if figure.name != "accuracy" or figure.group not in {"all", *gaps, *subsets}:
        return Column({}, {})
    # Pairs have no names; with the same inputs they come in the same order.
    return Column.of(
        ((result.inputs, i), row["group"], 0.5 * (1 + _sign(row["chosen"] - row["rejected"])))
        for i, row in enumerate(rows)
        if counts(row)
    )


def _rewards(result: Result, figure: Figure) -> Column:
    rows = rows_of(result.details, figure.subject, "prompt_id", "group", "reward")
    if figure.name != "reward":
        return Column({}, {})
    return Column.of(((row["prompt_id"],), row["group"], row["reward"]) for row in rows)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


READERS: Mapping[Kind, Reader] = {
    "adherence": _adherence,
    "two-turn": _two_turn,
    "winrate": _winrate,
    "reward-model": _reward_model,
    "rewards": _rewards,
}
"""Items of the figures of an evaluation; of figures that it does not know there are none."""
