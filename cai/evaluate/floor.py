"""Intervals over few clusters, which are none.

A bootstrap draws from the clusters that there are, and knows no tail beyond the outermost of them.
Over independent normal values its 95 % intervals for the mean (BCa) hold the true one in 51 % of
samples of two, 71 % of three, 77 % of four, 84 % of five and 91 % of twenty (measured by
`tests/unit/test_floor.py`; Cameron, Gelbach and Miller 2008 have the same for regressions, Review
of Economics and Statistics 90:414-427). Below five clusters, therefore, a figure has no number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cai.validation.statistics.intervals import Interval

__all__ = ["LEAST_CLUSTERS", "TooFew", "enough"]

LEAST_CLUSTERS = 5
"""Prompt groups, questions or cases from which a figure has an interval."""


@dataclass(frozen=True, slots=True)
class TooFew:
    """In place of an interval: so many clusters have a value."""

    n: int

    @property
    def reason(self) -> str:
        """What tables and reports say; the part before the colon stands in a cell."""
        return (
            f"too few: values from {self.n} groups of like prompts, questions or cases, and an "
            f"interval takes {LEAST_CLUSTERS}"
        )


def enough(found: Interval | None) -> Interval | TooFew | None:
    """An interval from a bootstrap over clusters, if there are enough of them."""
    if found is not None and found.n < LEAST_CLUSTERS:
        return TooFew(found.n)
    return found
