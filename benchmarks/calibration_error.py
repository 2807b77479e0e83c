"""How often the interval of the calibration error holds the true one, in simulation.

Draws labelled pairs of judges whose true error is known: calibrated, slightly and strongly
overconfident (log-odds 1.25 and 3 times too large), with probabilities spread evenly, near one half
or near one, each pair on its own or in groups of 1 to 6 that are alike. Prints the coverage of the
95 % interval, its mean width, the median estimate, and the mean error of the pairs themselves.

    python benchmarks/calibration_error.py
    python benchmarks/calibration_error.py --samples 100 --pairs 100
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import expit, logit, ndtr

from cai.validation.statistics.calibration import expected_calibration_error
from cai.validation.statistics.calibration_error import calibration_error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["JUDGES", "SHAPES", "labelled", "main", "true_error"]

JUDGES = {"calibrated": 1.0, "slightly": 0.8, "strongly": 1 / 3}
"""True log-odds over stated ones."""
SHAPES = {"even": 1.0, "near half": 3.0, "near one": 0.2}
"""Powers of an even distribution."""
_SIZES = (1, 1, 1, 2, 3, 6)
"""Of groups, drawn."""
_ALIKE = {"confidence": 0.5, "label": 0.4}
"""Correlation within a group, of the normal variables behind."""


def labelled(
    rng: np.random.Generator,
    n: int,
    judge: str,
    shape: str = "even",
    groups: Literal["single", "mixed"] = "single",
    ties: float = 0.0,
) -> tuple[Floats, Floats, list[int]]:
    """Probabilities of the preferred side, labels from its side, and the group of each pair."""
    group = np.arange(n)
    if groups == "mixed":
        group = np.repeat(group, rng.choice(_SIZES, size=n))[:n]

    def even(alike: float) -> Floats:
        own = rng.normal(size=n)
        if groups == "single":
            return ndtr(own)
        common = rng.normal(size=group.max() + 1)[group]
        return ndtr(np.sqrt(1 - alike) * own + np.sqrt(alike) * common)

    confidence = _confidence(even(_ALIKE["confidence"]), shape)
    right = (even(_ALIKE["label"]) < _true(confidence, judge)).astype(np.float64)
    if ties:
        right[rng.random(n) < ties] = 0.5
    return confidence, right, group.tolist()


def true_error(judge: str, shape: str = "even", ties: float = 0.0, bins: int = 10) -> float:
    """The error over bins in the whole population."""
    places = (np.arange(2_000_000) + 0.5) / 2_000_000
    confidence = _confidence(places, shape)
    gaps = (1 - ties) * _true(confidence, judge) + ties / 2 - confidence
    index = np.minimum(((confidence - 0.5) * 2 * bins).astype(np.int64), bins - 1)
    return float(np.abs(np.bincount(index, gaps, bins)).sum() / len(places))


def main() -> None:
    """Print a line for each setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--pairs", type=int, nargs="*", default=[100, 300, 1000])
    options = parser.parse_args()
    print("pairs  p          judge       groups  true   covered  width  median  of the pairs")
    for n, shape, judge, groups in product(options.pairs, SHAPES, JUDGES, ("single", "mixed")):
        truth, rng = true_error(judge, shape), np.random.default_rng(n)
        found, shown = [], []
        for seed in range(options.samples):
            p, target, group = labelled(rng, n, judge, shape, groups)
            found.append(calibration_error(p, target, group, draws=400, seed=seed))
            shown.append(expected_calibration_error(p, target))
        covered = np.mean([one.low <= truth <= one.high for one in found])
        width = np.mean([one.high - one.low for one in found])
        median = np.median([one.estimate for one in found])
        print(
            f"{n:5}  {shape:9}  {judge:10}  {groups:6}  {truth:.3f}  {covered:7.1%}  {width:.3f}  "
            f"{median:.3f}   {np.mean(shown):.3f}",
            flush=True,
        )


def _confidence(even: Floats, shape: str) -> Floats:
    return np.clip(0.5 + 0.5 * even ** SHAPES[shape], 0.5, 1 - 1e-6)


def _true(confidence: Floats, judge: str) -> Floats:
    return expit(JUDGES[judge] * logit(confidence))


if __name__ == "__main__":
    main()
