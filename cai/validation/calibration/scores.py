"""How good probabilities are: calibration error, Brier score and log loss, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cai.hashing import content_hash
from cai.validation.statistics.calibration import brier, expected_calibration_error
from cai.validation.statistics.calibration_error import calibration_error
from cai.validation.statistics.intervals import cluster_bootstrap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cai.store.calibrated import CalibrationMap
    from cai.validation.statistics.intervals import Interval

    Floats = NDArray[np.float64]

__all__ = ["Scores", "cross_fit", "log_loss", "scores"]

_EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one set of probabilities; smaller is better. Intervals need two prompt groups.

    `ece` is the calibration error where the pairs come from, without what chance adds to it;
    `ece_of_pairs` is that of the pairs themselves, the figure that most others report.
    """

    ece: Interval | None
    brier: Interval | None
    nll: Interval | None
    ece_of_pairs: float


def log_loss(p: ArrayLike, target: ArrayLike) -> float:
    """Mean of −y ln p − (1 − y) ln(1 − p), in nats, with p kept a millionth from 0 and 1."""
    given = np.clip(np.asarray(p, dtype=np.float64), _EDGE, 1.0 - _EDGE)
    label = np.asarray(target, dtype=np.float64)
    return float(-(label * np.log(given) + (1.0 - label) * np.log1p(-given)).mean())


def scores(
    p: Floats, target: Floats, groups: Sequence[str], *, draws: int = 2000, seed: int = 0
) -> Scores:
    """The figures, with bootstraps over prompt groups.

    Args:
        p: (n,) probabilities.
        target: (n,) labels from 0 to 1.
        groups: (n,) prompt group of each pair.
        draws: of the bootstrap.
        seed: of the draws.
    """
    options = {"draws": draws, "seed": seed}

    def interval(figure: Callable[[Floats, Floats], float]) -> Interval | None:
        return cluster_bootstrap(lambda rows: figure(p[rows], target[rows]), groups, **options)

    return Scores(
        ece=calibration_error(p, target, groups, **options),
        brier=interval(brier),
        nll=interval(log_loss),
        ece_of_pairs=expected_calibration_error(p, target),
    )


def cross_fit(
    p: Floats,
    target: Floats,
    groups: Sequence[str],
    fit: Callable[[Floats, Floats], CalibrationMap],
    folds: int = 5,
) -> Floats:
    """Each pair's calibrated probability from a map that has not seen its prompt group.

    Args:
        p: (n,) probabilities.
        target: (n,) labels from 0 to 1.
        groups: (n,) prompt group of each pair; each goes to one fold, by hash.
        fit: makes a map.
        folds: at most so many, and at most one for each group.

    Raises:
        ValueError: there are fewer than 2 groups or folds.
    """
    ranked = sorted(set(groups), key=lambda group: content_hash(["fold", group]))
    folds = min(folds, len(ranked))
    if folds < 2:
        raise ValueError(f"Cross-fitting needs 2 prompt groups and 2 folds, got {folds}")
    fold_of = {group: place % folds for place, group in enumerate(ranked)}
    fold = np.array([fold_of[group] for group in groups])
    found: Floats = np.empty(len(p))
    for number in range(folds):
        inside = fold == number
        fitted = fit(p[~inside], target[~inside])
        found[inside] = [fitted(value) for value in p[inside].tolist()]
    return found
