"""The map from a judge's probabilities to those that people's labels bear out, kept in the run."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cai.store.reading import RunReader
    from cai.store.run import RunStore

__all__ = [
    "CalibrationMap",
    "CalibrationMethod",
    "LabelNoise",
    "StoredCalibration",
    "calibrated",
    "log_odds",
    "read_calibration",
    "write_calibration",
]

CalibrationMethod = Literal["identity", "temperature", "platt", "isotonic"]

_KEY = "calibration"
_EDGE = 1e-6
"""Probabilities are kept this far from 0 and 1, where log-odds are infinite."""


@dataclass(frozen=True, slots=True)
class CalibrationMap:
    """f(p), with f(1 − p) = 1 − f(p): it says the same of a pair from either side.

    Args:
        method: `temperature` is σ(slope · logit p), `platt` is σ(slope · (2p − 1)), `isotonic` runs
            straight between its knots, `identity` leaves p as it is.
        slope: of the first two; 1/T for a temperature T.
        knots: (p, f) in rising order, from (½, ½) on.
    """

    method: CalibrationMethod = "identity"
    slope: float = 1.0
    knots: tuple[tuple[float, float], ...] = ()

    def __call__(self, p: float) -> float:
        """The calibrated probability.

        Args:
            p: from 0 to 1.
        """
        if p < 0.5:
            return 1.0 - self(1.0 - p)
        if self.method == "temperature":
            return _sigmoid(self.slope * log_odds(p))
        if self.method == "platt":
            return _sigmoid(self.slope * (2.0 * p - 1.0))
        return self._between(p) if self.method == "isotonic" else p

    def _between(self, p: float) -> float:
        at = bisect_right(self.knots, p, key=lambda knot: knot[0])
        if at == len(self.knots):
            return self.knots[-1][1]
        (left, low), (right, high) = self.knots[at - 1], self.knots[at]
        return low + (high - low) * (p - left) / (right - left)


@dataclass(frozen=True, slots=True)
class LabelNoise:
    """Share of decided AI labels that people contradict, where a tie is half a contradiction.

    `low` and `high` are the ends of its interval, over `n` pairs of `groups` prompt groups.
    """

    rate: float
    low: float
    high: float
    n: int
    groups: int


@dataclass(frozen=True, slots=True)
class StoredCalibration:
    """A fitted map and what it rests on.

    Args:
        map: from p to calibrated p.
        n: labels by people, all on pairs of dev prompts.
        groups: prompt groups that they are from.
        labels: hash of these labels with the probabilities.
        plan: of the run whose probabilities they were.
        epoch: of its prompt file.
        created: when.
        figures: calibration error, Brier score and log loss, before and after.
        noise: of the AI labels; None where too few dev pairs have both labels.
    """

    map: CalibrationMap
    n: int
    groups: int
    labels: str
    plan: str | None
    epoch: int | None
    created: str
    figures: Mapping[str, Any]
    noise: LabelNoise | None


def log_odds(p: float) -> float:
    """Ln p/(1 − p), with p kept a millionth away from 0 and 1."""
    inside = min(max(p, _EDGE), 1.0 - _EDGE)
    return math.log(inside / (1.0 - inside))


def write_calibration(store: RunStore, found: StoredCalibration) -> None:
    """Keep a fitted map, in place of an earlier one."""
    store.set_meta(**{_KEY: asdict(found)})


def read_calibration(store: RunReader) -> StoredCalibration | None:
    """The map that fits the run as it is; None when there is none, or the judge has changed."""
    record: dict[str, Any] | None = store.meta(_KEY)
    if record is None:
        return None
    if (record["plan"], record["epoch"]) != (store.meta("plan"), store.meta("epoch")):
        return None
    fitted, noise = record.pop("map"), record.pop("noise")
    knots = tuple((p, value) for p, value in fitted["knots"])
    return StoredCalibration(
        map=CalibrationMap(fitted["method"], fitted["slope"], knots),
        noise=LabelNoise(**noise) if noise else None,
        **record,
    )


def calibrated(store: RunReader) -> Callable[[float], float] | None:
    """The function from p to calibrated p, or None where the run has none that still fits."""
    found = read_calibration(store)
    return found.map if found else None


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else 1.0 - 1.0 / (1.0 + math.exp(x))
