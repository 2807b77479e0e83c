"""Logistic regression of probabilities or labels, with standard errors for clustered rows."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from cai.validation.statistics.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["LogisticFit", "logistic", "sigmoid"]

_FAR = 30.0
"""A fitted log-odds beyond this is on its way to infinity: the labels are separated."""


@dataclass(frozen=True, slots=True, eq=False)
class LogisticFit:
    """Coefficients that make the labels likeliest.

    Args:
        coefficients: (k,).
        covariance: (k, k), the sandwich over clusters.
        clusters: how many there were.
        iterations: Newton steps taken.
    """

    coefficients: Floats
    covariance: Floats
    clusters: int
    iterations: int

    @property
    def errors(self) -> Floats:
        """(k,) standard errors."""
        found: Floats = np.sqrt(np.diag(self.covariance))
        return found

    def interval(self, index: int, level: float = 0.95) -> Interval:
        """One coefficient with its Wald interval."""
        z = NormalDist().inv_cdf(0.5 + level / 2)
        at, error = float(self.coefficients[index]), float(self.errors[index])
        return Interval(at, at - z * error, at + z * error, level, self.clusters)


def sigmoid(x: ArrayLike) -> Floats:
    """1 / (1 + e^−x), without overflow."""
    values: Floats = 0.5 * (1.0 + np.tanh(0.5 * np.asarray(x, dtype=np.float64)))
    return values


def logistic(
    x: ArrayLike,
    y: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    iterations: int = 50,
    tolerance: float = 1e-10,
) -> LogisticFit | None:
    """Maximise Σ y log μ + (1 − y) log(1 − μ) with μ = σ(xᵀβ), by Newton's method.

    Labels may be fractions (Papke & Wooldridge 1996); their variance is not μ(1 − μ), so the
    covariance is the sandwich A⁻¹ (Σ_g s_g s_gᵀ) A⁻¹ over clusters g (Liang & Zeger 1986), times
    G/(G − 1) · (n − 1)/(n − k), as statsmodels has it.

    Args:
        x: (n, k) columns; add one of ones for an intercept.
        y: (n,) from 0 to 1.
        clusters: (n,) the cluster of each row.
        iterations: at most so many steps.
        tolerance: stop when no coefficient moves further than this.

    Returns:
        None where the coefficients are not determined: fewer than 2 clusters or than k + 1 rows,
        columns that depend on each other, or labels that the columns separate.

    Raises:
        ValueError: the shapes do not fit, or a label is outside 0 … 1.
    """
    columns, labels = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if columns.ndim != 2 or labels.shape != columns.shape[:1] or len(clusters) != len(labels):
        raise ValueError(f"Need x (n, k), y and clusters (n,), got {columns.shape}, {labels.shape}")
    if not ((labels >= 0) & (labels <= 1)).all():
        raise ValueError("y must lie from 0 to 1")
    n, k = columns.shape
    groups = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    if n <= k or len(groups) < 2 or np.linalg.matrix_rank(columns) < k:
        return None
    solved = _newton(columns, labels, iterations, tolerance)
    if solved is None:
        return None
    beta, bread, steps = solved
    scores = np.zeros((len(groups), k))
    residual = labels - sigmoid(columns @ beta)
    np.add.at(scores, [groups[c] for c in clusters], columns * residual[:, None])
    few = len(groups) / (len(groups) - 1) * (n - 1) / (n - k)
    return LogisticFit(beta, few * bread @ (scores.T @ scores) @ bread, len(groups), steps)


def _newton(
    x: Floats, y: Floats, iterations: int, tolerance: float
) -> tuple[Floats, Floats, int] | None:
    """Coefficients, inverse information, and the steps taken; None where there is no maximum."""
    beta: Floats = np.zeros(x.shape[1])
    for step in range(1, iterations + 1):
        eta = x @ beta
        mu = sigmoid(eta)
        information = (x * (mu * (1.0 - mu))[:, None]).T @ x
        try:
            change = np.linalg.solve(information, x.T @ (y - mu))
        except np.linalg.LinAlgError:
            return None
        # A full step may overshoot where the curve is flat; half of it never lowers the likelihood
        # for ever, because the objective is concave.
        size = 1.0
        while _likelihood(x @ (beta + size * change), y) < _likelihood(eta, y) - 1e-12:
            size /= 2.0
            if size < 1e-6:
                break
        beta = beta + size * change
        if np.abs(x @ beta).max() > _FAR:
            return None
        if np.abs(change).max() <= tolerance:
            weight = sigmoid(x @ beta)
            curvature = (x * (weight * (1.0 - weight))[:, None]).T @ x
            return beta, np.linalg.inv(curvature).astype(np.float64), step
    return None


def _likelihood(eta: Floats, y: Floats) -> float:
    return float(np.sum(y * eta - np.logaddexp(0.0, eta)))
