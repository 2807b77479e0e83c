"""The calibration error of the population: coverage in simulation, and what must not matter."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from cai.validation.statistics.calibration import expected_calibration_error
from cai.validation.statistics.calibration_error import calibration_error

SPEC = importlib.util.spec_from_file_location(
    "calibration_bench", Path(__file__).parents[2] / "benchmarks/calibration_error.py"
)
bench = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bench)


@pytest.mark.parametrize(
    ("judge", "shape", "groups", "ties"),
    [
        ("calibrated", "even", "single", 0.0),
        ("calibrated", "near one", "mixed", 0.0),
        ("slightly", "even", "single", 0.0),
        ("slightly", "near half", "mixed", 0.0),
        ("strongly", "near one", "single", 0.0),
        ("strongly", "even", "mixed", 0.0),
        ("calibrated", "even", "single", 0.2),
    ],
)
def test_the_interval_covers_the_error_of_the_population(judge, shape, groups, ties):
    rng, truth, runs = np.random.default_rng(0), bench.true_error(judge, shape, ties), 120
    found = [
        calibration_error(*bench.labelled(rng, 150, judge, shape, groups, ties), draws=200, seed=i)
        for i in range(runs)
    ]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    # Three standard errors below 0.95; above, it may be too wide where the error is almost 0.
    assert covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)
    assert np.median([one.estimate for one in found]) == pytest.approx(truth, abs=0.03)
    assert all(one.low <= one.estimate <= one.high for one in found)


def test_chance_is_no_error():
    rng = np.random.default_rng(0)
    shown, found = [], []
    for i in range(60):
        p, target, groups = bench.labelled(rng, 100, "calibrated")
        shown.append(expected_calibration_error(p, target))
        found.append(calibration_error(p, target, groups, draws=200, seed=i).estimate)
    assert np.mean(shown) == pytest.approx(0.10, abs=0.01)
    assert np.median(found) < 0.03


def test_many_pairs_tell_it_exactly():
    p, target, groups = bench.labelled(np.random.default_rng(1), 20_000, "strongly")
    found = calibration_error(p, target, groups, draws=200)
    assert found.estimate == pytest.approx(expected_calibration_error(p, target), abs=2e-3)
    assert found.low < bench.true_error("strongly") < found.high
    assert found.high - found.low < 0.02


def test_the_order_of_answers_and_the_names_of_groups_do_not_matter():
    rng = np.random.default_rng(2)
    p, target, groups = bench.labelled(rng, 90, "slightly", groups="mixed")
    turned = rng.random(90) < 0.5
    found = calibration_error(p, target, groups, draws=300)
    other = np.where(turned, 1 - p, p), np.where(turned, 1 - target, target)
    seen = calibration_error(*other, groups, draws=300)
    assert (seen.low, seen.estimate, seen.high) == pytest.approx(
        (found.low, found.estimate, found.high), abs=1e-6
    )
    assert calibration_error(p, target, [f"g{g}" for g in groups], draws=300) == found
    assert calibration_error(p, target, groups, draws=300, seed=1) != found


def test_pairs_that_are_alike_tell_less():
    rng = np.random.default_rng(3)
    p, target, _ = bench.labelled(rng, 60, "strongly")
    five_times = [np.repeat(values, 5) for values in (p, target)]
    alone = calibration_error(p, target, range(60))
    together = calibration_error(*five_times, np.repeat(range(60), 5).tolist())
    apart = calibration_error(*five_times, range(300))
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high), abs=0.03)
    assert apart.high - apart.low < 0.7 * (together.high - together.low)


@pytest.mark.parametrize("n", [30, 100, 300])
def test_a_judge_that_was_sure_and_right(n):
    found = calibration_error([1.0] * n, [1] * n, range(n))
    # Of a share with n successes the exact bound solves (1 - error)^n = 0.025.
    assert (found.low, found.estimate) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / n), rel=0.3)


def test_luck_is_no_proof():
    # A judge that says 0.95 and is calibrated is right 30 times of 30 in one sample of five.
    assert calibration_error([0.95] * 30, [1] * 30, range(30)).low == 0.0
    assert calibration_error([1.0] * 30, [0] * 30, range(30)).low > 0.8


def test_what_has_no_interval():
    assert calibration_error([0.7, 0.9], [0, 1], ["a", "a"]) is None
    with pytest.raises(ValueError, match="at least 2 draws"):
        calibration_error([0.7, 0.9], [0, 1], "ab", draws=1)
    with pytest.raises(ValueError, match="p must lie"):
        calibration_error([1.7, 0.9], [0, 1], "ab")
