"""Several goods apart, such as harmlessness and helpfulness: a strength of each subject on each.

Constitutional AI (2212.08073, figures 2 and 3) puts its models on these two axes, from comparisons
of their own for each. Here the judge is asked under the principles of one axis at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.constitution.models import chosen_by
from cai.errors import UsageError, nearest
from cai.evaluate.winrate.records import Axis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cai.constitution.models import Constitution
    from cai.evaluate.results import Figure

__all__ = ["axes_chart_data", "find_axes", "only_axis"]


def find_axes(names: Iterable[str], constitution: Constitution) -> tuple[Axis, ...]:
    """The principles of each axis: those that carry the tag of its name.

    Raises:
        UsageError: no principle has the tag, or a name comes twice.
    """
    wanted = [name.strip() for name in names]
    known = sorted({tag for principle in constitution.principles for tag in principle.tags})
    found = []
    for name in wanted:
        ids = tuple(p.id for p in constitution.ranked if name and chosen_by(f"tag:{name}", p))
        if not ids or wanted.count(name) > 1:
            got = "is there twice" if ids else f"is no tag of a principle of {constitution.label}"
            raise UsageError(
                f"--axes: '{name}' {got}. Known: {', '.join(known) or 'none'}."
                f"{nearest(name, known)} Name tags of principles, each once, such as --axes "
                "helpfulness,harmlessness."
            )
        found.append(Axis(name, ids))
    return tuple(found)


def only_axis(constitution: Constitution, axis: Axis) -> Constitution:
    """The constitution with nothing but the principles of an axis."""
    kept = tuple(p for p in constitution.principles if p.id in axis.principles)
    part = constitution.only(kept)
    assert part is not None, "find_axes gives no axis without principles"
    return part


def axes_chart_data(
    axes: Sequence[Axis], subjects: Sequence[str], figures: Sequence[Figure]
) -> dict[str, Any]:
    """Places of subjects on the first two axes, for `cai.report.charts.scatter_chart`.

    Empty with fewer than two axes. Subjects without a strength on both are left out.
    """
    if len(axes) < 2:
        return {}
    strengths = {(f.subject, f.group): f for f in figures if f.name == "Elo"}
    points = []
    for name in subjects:
        both = [strengths[name, f"axis {axis.name}"] for axis in axes[:2]]
        if all(one.value is not None for one in both):
            x, y = ([one.value, one.low, one.high] for one in both)
            points.append({"label": name, "x": x, "y": y})
    return {"x": axes[0].name, "y": axes[1].name, "unit": "Elo points", "points": points}
