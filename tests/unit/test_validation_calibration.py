"""Calibration against scikit-learn, and against the figure that training reports."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from cai.validation.statistics.calibration import (
    brier,
    confusion,
    expected_calibration_error,
    reliability,
)
from cai.validation.statistics.intervals import wilson


@pytest.mark.parametrize("seed", range(5))
def test_brier_equals_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    p, target = rng.random(50), rng.integers(2, size=50)
    assert brier(p, target) == pytest.approx(brier_score_loss(target, p), abs=1e-9)


def naive_error(p, target, bins):
    """Guo et al. 2017, equation 3, pair by pair."""
    inside = [[] for _ in range(bins)]
    for given, label in zip(p, target, strict=True):
        confidence, right = (given, label) if given >= 0.5 else (1.0 - given, 1.0 - label)
        inside[min(int((confidence - 0.5) * 2.0 * bins), bins - 1)].append((confidence, right))
    gaps = (abs(sum(right - sure for sure, right in pairs)) for pairs in inside)
    return sum(gaps) / len(p)


@pytest.mark.parametrize("bins", [1, 5, 10, 17])
def test_error_equals_the_equation(bins):
    rng = np.random.default_rng(bins)
    # Round probabilities sit on the edges of bins, 0.5 and 1.0 among them.
    p = np.concatenate([rng.random(200), rng.integers(0, 21, 200) / 20])
    target = rng.integers(0, 3, 400) / 2
    assert expected_calibration_error(p, target, bins) == pytest.approx(
        naive_error(p.tolist(), target.tolist(), bins), abs=1e-12
    )


def test_error_of_a_model_that_is_right_as_often_as_it_says():
    assert expected_calibration_error([0.75] * 4, [1, 1, 1, 0]) == pytest.approx(0.0)
    assert expected_calibration_error([0.25] * 4, [1, 1, 1, 0]) == pytest.approx(0.5)


def test_bins_hold_what_falls_into_them():
    found = reliability([0.95, 1.0, 0.02, 0.62, 0.5], [1, 0.5, 0, 0, 1])
    assert [b.n for b in found] == [1, 1, 3]
    assert [(b.low, b.high) for b in found] == [
        pytest.approx((0.5, 0.55)),
        pytest.approx((0.6, 0.65)),
        pytest.approx((0.95, 1.0)),
    ]
    assert found[2].confidence == pytest.approx((0.95 + 1.0 + 0.98) / 3)
    assert found[2].accuracy == wilson(2.5, 3)
    assert found[1].accuracy.estimate == 0.0


@pytest.mark.parametrize("figure", [brier, expected_calibration_error, reliability])
@pytest.mark.parametrize(
    ("p", "target", "message"),
    [
        ([], [], "same shape"),
        ([0.5], [0.5, 1], "same shape"),
        ([[0.5]], [[1]], "same shape"),
        ([1.2], [1], "p must lie"),
        ([float("nan")], [1], "p must lie"),
        ([0.5], [-1], "target must lie"),
    ],
)
def test_what_is_no_probability_is_an_error(figure, p, target, message):
    with pytest.raises(ValueError, match=message):
        figure(p, target)


def test_no_bin_is_an_error():
    with pytest.raises(ValueError, match="at least 1 bin"):
        reliability([0.5], [1], bins=0)


def test_confusion_counts_pairs_of_labels():
    got = confusion(["first", "tie", "first", "second"], ["first", "first", "first", "tie"])
    assert got == {("first", "first"): 2, ("second", "tie"): 1, ("tie", "first"): 1}
    assert list(got) == sorted(got)
    assert confusion([], []) == {}
    with pytest.raises(ValueError, match="partner"):
        confusion(["first"], [])
