"""What each item adds to a prediction-powered mean, summed by cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]

__all__ = ["Influence", "influence"]

_TINY = 1e-24
"""A variance below this is rounding: the judge says the same of every item."""


@dataclass(frozen=True, slots=True)
class Influence:
    """The estimate is `base` + λ·`shift`, its variance Σ_g (`by_label`_g + λ·`by_judge`_g)²."""

    labels: Floats
    predictions: Floats
    n_unlabelled: int
    base: float
    shift: float
    by_label: Floats
    by_judge: Floats
    n_weighted: float
    """Labels with equal weights that these are worth: 1 / Σᵢ wᵢ² (Kish 1965)."""
    n_independent: float
    """The same for clusters, whose labels are taken for one: 1 / Σ_g (Σ_{i in g} wᵢ)²."""
    df: float
    """Degrees of freedom of the variance."""
    closed_power: float | None
    """λ in the closed form of the paper, where that holds."""
    warnings: tuple[str, ...]

    def estimate(self, lam: float) -> float:
        """The mean at one λ."""
        return self.base + lam * self.shift

    def variance(self, lam: float) -> float:
        """Variance of the estimate at one λ, without a correction for few labels."""
        return float(np.sum((self.by_label + lam * self.by_judge) ** 2))

    def best_power(self) -> float:
        """The λ of smallest variance, clipped to [0, 1] (PPI++, power tuning)."""
        spread = float(np.sum(self.by_judge**2))
        if spread < _TINY:
            return 0.0
        best = self.closed_power
        if best is None:
            best = -float(np.sum(self.by_label * self.by_judge)) / spread
        return min(max(best, 0.0), 1.0)


def influence(
    labels: ArrayLike,
    predictions: ArrayLike,
    unlabelled: ArrayLike,
    inclusion: ArrayLike | None,
    strata: ArrayLike | None,
    clusters: ArrayLike | None,
    *,
    nested: bool,
) -> Influence:
    """Take the estimator of `ppi_mean` apart; its arguments and errors are explained there.

    With e = y − λ f, every item of stratum h adds (λ f − mean(λ f) + ē_h − ē)/N, and a labelled
    one wᵢ (eᵢ − ē_h) more. The expected sum of squares is Var(y)/N + Σ_h W_h² (1 − π_h) S²_h/n_h:
    the variance of draws without replacement in each stratum of a list that is itself a sample.
    """
    y, f = _vector(labels, "labels"), _vector(predictions, "predictions")
    u = _vector(unlabelled, "unlabelled")
    n, size = len(y), len(y) + len(u)
    if n == 0 or len(f) != n:
        raise ValueError(f"need one prediction per label and one label or more, got {n}, {len(f)}")
    if not nested and (strata is not None or len(u) == 0):
        raise ValueError("separate samples need unlabelled items and know no strata; use nested")
    stratum, cluster = _codes(strata, size, "strata"), _codes(clusters, size, "clusters")
    weights, warnings = _weights(inclusion, stratum, n)
    judged = np.concatenate([f, u])
    listed = np.arange(size) >= (0 if nested else n)
    by_label, by_judge = np.zeros(size), (judged - judged[listed].mean()) * listed / listed.sum()
    for values, out, sign in ((y, by_label, 1.0), (f, by_judge, -1.0)):
        centre = _centres(values, weights, stratum, size)
        out += sign * (centre - weights @ values) * listed / listed.sum()
        out[:n] += sign * weights * (values - centre[:n])
    simple = inclusion is None and stratum is cluster is None
    shares = weights if cluster is None else _sums(cluster[:n], weights)
    independent = 1 / float(shares @ shares)
    weighted = 1 / float(weights @ weights)
    return Influence(
        labels=y,
        predictions=f,
        n_unlabelled=len(u),
        base=float(weights @ y),
        shift=float(judged[listed].mean() - weights @ f),
        by_label=by_label if cluster is None else _sums(cluster, by_label),
        by_judge=by_judge if cluster is None else _sums(cluster, by_judge),
        n_weighted=weighted,
        n_independent=independent,
        df=min(weighted - (1 if stratum is None else len(set(stratum[:n]))), independent - 1),
        closed_power=_closed_power(y, f, u, nested=nested) if simple else None,
        warnings=warnings,
    )


def _closed_power(y: Floats, f: Floats, u: Floats, *, nested: bool) -> float:
    """Cov(y, f) / ((1 + n/m) Var f), with Var f from all items (PPI++, for means).

    Nested, the judge's mean over the list already holds n/N of the mean over the labelled items,
    which cancels the factor 1 + n/m.
    """
    spread = float(np.var(np.concatenate([f, u]), ddof=1)) if len(f) + len(u) > 1 else 0.0
    if spread < _TINY:
        return 0.0
    covariance = float(np.mean((y - y.mean()) * (f - f.mean())))
    return covariance / spread / (1.0 if nested else 1 + len(f) / len(u))


def _weights(
    inclusion: ArrayLike | None, stratum: Codes | None, n: int
) -> tuple[Floats, tuple[str, ...]]:
    """(n,) Hájek weights, and what to say about strata without labels."""
    pi, warnings = np.ones(n), tuple[str, ...]()
    if stratum is not None:
        drawn, listed = np.bincount(stratum[:n], minlength=stratum.max() + 1), np.bincount(stratum)
        pi = (drawn / listed)[stratum[:n]]
        if empty := int(listed[drawn == 0].sum()):
            text = f"{empty} of {len(stratum)} items are in strata without a label; they count as "
            warnings = (text + "items like the rest.",)
    if inclusion is not None:
        pi = _vector(inclusion, "inclusion")
        if len(pi) != n or not np.all((pi > 0) & (pi <= 1)):
            raise ValueError(f"inclusion must hold {n} probabilities in (0, 1]")
    return 1 / pi / np.sum(1 / pi), warnings


def _centres(values: Floats, weights: Floats, stratum: Codes | None, size: int) -> Floats:
    """(size,) the weighted mean of each item's stratum; of all labels where it has fewer than two.

    One label alone is its own mean, and would count as if it had no variance.
    """
    overall = np.full(size, weights @ values)
    if stratum is None:
        return overall
    kinds, own = int(stratum.max()) + 1, stratum[: len(values)]
    total = np.bincount(own, weights, kinds)
    known = np.bincount(own, minlength=kinds) > 1
    means = np.bincount(own, weights * values, kinds) / np.where(known, total, 1.0)
    return np.where(known[stratum], means[stratum], overall)


def _sums(cluster: Codes, values: Floats) -> Floats:
    return np.bincount(cluster, values).astype(np.float64)


def _vector(values: ArrayLike, name: str) -> Floats:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or not np.all(np.isfinite(vector)):
        raise ValueError(f"{name} must be one row of finite numbers, got shape {vector.shape}")
    return vector


def _codes(names: ArrayLike | None, size: int, what: str) -> Codes | None:
    """Names of any kind as numbers from 0."""
    if names is None:
        return None
    given: NDArray[Any] = np.asarray(names)
    if given.shape != (size,):
        raise ValueError(f"{what} must name all {size} items, labelled first; got {given.shape}")
    return np.unique(given, return_inverse=True)[1]
