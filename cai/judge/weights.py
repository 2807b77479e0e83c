"""Fitting the weights of propositions to pairs that people (or a better judge) have labelled.

Rule-based rewards (2411.01111) fit few weights to many comparisons. Here, with x_i the differences
of the probabilities of all statements between the two answers of pair i and y_i the probability (or
0 or 1) that the first is better, the weights w minimise

    Σ_i [log(1 + e^{w·x_i}) − y_i w·x_i] + ½ λ |w|²,

the logistic regression without intercept: swapping the answers of every pair must turn p into
1 − p. The penalty λ keeps weights finite where the pairs can be told apart without error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cai.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cai.records import PrincipleVerdict

__all__ = ["differences", "fit_weights"]


def differences(verdicts: Sequence[PrincipleVerdict]) -> NDArray[np.float64]:
    """P(first) − P(second) for each statement of verdicts of the mode `propositions`.

    Args:
        verdicts: with a value for every statement, and all about the same statements.

    Returns:
        One row for each verdict, one column for each statement: (n, k).

    Raises:
        UsageError: they are not about the same statements, or a value is missing.
    """
    rows, statements = [], None
    for verdict in verdicts:
        values = {(s.answer, s.statement): s.value for s in verdict.scores}
        asked = tuple(s.statement for s in verdict.scores if s.answer == "first")
        statements = asked if statements is None else statements
        if asked != statements or None in values.values():
            raise UsageError(
                "Weights can only be fitted to verdicts with a value for each of the same "
                f"statements; got {len(asked)} statements ({verdict.outcome}) beside "
                f"{len(statements)}. Leave out pairs without a verdict, and judge the others under "
                "the same principle."
            )
        rows.append([_gap(values[("first", s)], values[("second", s)]) for s in asked])
    return np.array(rows, dtype=np.float64)


def fit_weights(x: ArrayLike, y: ArrayLike, *, penalty: float = 1.0) -> NDArray[np.float64]:
    """The weights w of p = σ(w·x) that make the labels likeliest.

    Args:
        x: differences between first and second answer: (n, k).
        y: probability, or 0 or 1, that the first answer is better: (n,).
        penalty: λ above; the inverse of scikit-learn's `C`.

    Returns:
        One weight for each statement: (k,).

    Raises:
        UsageError: the arrays do not fit together, or hold no labels.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    features, labels = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if features.ndim != 2 or labels.shape != (len(features),) or not len(features):
        raise UsageError(
            f"Fitting takes a table of differences and a label for each row; got the shapes "
            f"{features.shape} and {labels.shape}."
        )
    if not ((labels >= 0) & (labels <= 1)).all() or penalty < 0:
        raise UsageError("Labels are from 0 to 1, and the penalty is not negative.")

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = features @ w
        value = np.sum(np.logaddexp(0.0, z) - labels * z) + 0.5 * penalty * w @ w
        return float(value), features.T @ (expit(z) - labels) + penalty * w

    start = np.zeros(features.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-9, "ftol": 0.0})
    return np.asarray(found.x, dtype=np.float64)


def _gap(first: float | None, second: float | None) -> float:
    return (first or 0.0) - (second or 0.0)
