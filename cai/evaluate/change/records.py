"""What a comparison of one figure between two models says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.evaluate.results import Figure, Kind

__all__ = ["Basis", "Change", "Reading", "headline"]

Basis = Literal["paired", "unpaired", ""]
"""Item by item on what both were asked; from the two intervals; or there is no number."""

Reading = Literal["better", "worse", "differs", "open", "none"]
"""`open`: the interval of the change holds zero. `differs`: it does not, and no direction is good.
`none`: there is no interval."""


@dataclass(frozen=True, slots=True)
class Change:
    """The figure of one model less that of another.

    Args:
        kind: of the evaluation.
        before: the figure of the model that is compared with.
        after: the same figure of the other model.
        value: after less before, in the unit of the figure (shares: from -1 to 1).
        low: end of the 95 % interval of the change.
        high: its other end.
        n: cases in both where paired, else of both together.
        basis: what the interval rests on.
        unmeasured: why there is no number; empty where there is one.
        unlike: why the two figures are not about the same thing, each in a few words.
    """

    kind: Kind
    before: Figure
    after: Figure
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    basis: Basis = ""
    unmeasured: str = ""
    unlike: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Names the figure: `refusal/over_refusal/all`."""
        against = f" against {self.after.against}" if self.after.against else ""
        return f"{self.kind}/{self.after.name}{against}/{self.after.group}"

    @property
    def reading(self) -> Reading:
        """What the interval says."""
        if self.low is None or self.high is None:
            return "none"
        if self.low <= 0.0 <= self.high:
            return "open"
        if not self.after.better:
            return "differs"
        return "better" if (self.low > 0.0) == (self.after.better == "higher") else "worse"

    @property
    def harm(self) -> tuple[float, float] | None:
        """The interval of the change with its bad direction upwards.

        None where there is no interval, and where no direction of the figure is bad.
        """
        if self.low is None or self.high is None or not self.after.better:
            return None
        return (-self.high, -self.low) if self.after.better == "higher" else (self.low, self.high)

    def worse_by(self, tolerance: float) -> bool:
        """Whether all of the interval lies on the bad side, beyond a tolerance of at least 0."""
        return self.harm is not None and self.harm[0] > tolerance


def headline(found: Iterable[Change]) -> list[Change]:
    """Changes of figures over all cases, without those of single categories and principles.

    That are the groups `all` and `PROBE/all`, and the group of a figure that has no other.
    """
    groups: dict[tuple[str, ...], set[str]] = {}
    changes = list(found)
    for one in changes:
        groups.setdefault((one.kind, one.after.name, one.after.against), set()).add(one.after.group)
    return [
        one
        for one in changes
        if one.after.group.rpartition("/")[2] == "all"
        or len(groups[one.kind, one.after.name, one.after.against]) == 1
    ]
