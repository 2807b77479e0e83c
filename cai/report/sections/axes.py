"""Harmlessness against helpfulness, or any two axes that a win rate was taken on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.evaluate.words import UNCHECKED
from cai.report.charts import Place, scatter_chart

if TYPE_CHECKING:
    from cai.evaluate.results import Result
    from cai.report.charts import Chart

__all__ = ["axes_chart"]


def axes_chart(result: Result) -> Chart | None:
    """The strength of each subject on both axes, in points of Elo with 95% intervals.

    As in figures 2 and 3 of Constitutional AI (2212.08073): subjects are models, checkpoints, or
    the answers of a run after each revision.

    Args:
        result: of a win rate.

    Returns:
        None where it has no two axes, or no subject has a strength on both.
    """
    data = result.details.get("chart") or {}
    if not data.get("points"):
        return None
    places = [Place(one["label"], tuple(one["x"]), tuple(one["y"])) for one in data["points"]]
    x, y, unit = data["x"], data["y"], data["unit"]
    doubt = f" ({UNCHECKED})" if any(not e.checked_on for e in result.evaluators) else ""
    title = f"{x} and {y}".capitalize() + doubt
    return scatter_chart("axes", title, places, f"{x}, {unit}", f"{y}, {unit}")
