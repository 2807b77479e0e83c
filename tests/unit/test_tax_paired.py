"""The change of a share on the same questions, against statsmodels and the definition."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from statsmodels.stats.contingency_tables import mcnemar

from cai.evaluate.tax.paired import paired, tango

Z = NormalDist().inv_cdf(0.975)


def answers(gained: int, lost: int, both: int, neither: int) -> tuple[list[bool], list[bool]]:
    after = [True] * gained + [False] * lost + [True] * both + [False] * neither
    before = [False] * gained + [True] * lost + [True] * both + [False] * neither
    return after, before


TABLES = [(3, 9, 20, 8), (0, 6, 10, 2), (12, 11, 70, 75), (1, 0, 0, 0), (0, 0, 7, 3), (5, 0, 0, 4)]


@pytest.mark.parametrize("table", TABLES)
def test_the_exact_p_is_that_of_statsmodels(table: tuple[int, int, int, int]):
    gained, lost, both, neither = table
    found = paired(*answers(*table))
    wanted = mcnemar([[both, gained], [lost, neither]], exact=True).pvalue
    assert found.p == pytest.approx(wanted)
    assert (found.gained, found.lost, found.n) == (gained, lost, sum(table))


def score(b: int, c: int, n: int, delta: float) -> float:
    """Z(Δ) with the variance at the likeliest q under Δ, which is searched for."""

    def unlikely(q: float) -> float:
        cells = [(b, q + delta), (c, q), (n - b - c, 1 - 2 * q - delta)]
        return -sum(k * math.log(max(p, 1e-300)) for k, p in cells if k)

    low, high = max(0.0, -delta), (1 - delta) / 2
    found = minimize_scalar(unlikely, (low, high), bounds=(low, high), method="bounded",
                            options={"xatol": 1e-12})  # fmt: skip
    q = found.x
    return (b - c - n * delta) / math.sqrt(n * (2 * q + delta - delta**2))


@pytest.mark.parametrize(("b", "c", "n"), [(3, 9, 40), (12, 11, 168), (1, 6, 24), (7, 2, 30)])
def test_at_the_ends_the_score_is_z(b: int, c: int, n: int):
    found = tango(b, c, n)
    assert found.low < found.estimate == (b - c) / n < found.high
    assert score(b, c, n, found.low) == pytest.approx(Z, abs=1e-4)
    assert score(b, c, n, found.high) == pytest.approx(-Z, abs=1e-4)


@pytest.mark.parametrize(("b", "c"), [(3, 12), (12, 3), (4, 9), (6, 6), (2, 9)])
def test_zero_is_outside_where_mcnemars_statistic_says_so(b: int, c: int):
    found = tango(b, c, 60)
    p = mcnemar([[20, b], [c, 40 - b - c]], exact=False, correction=False).pvalue
    assert (found.low > 0 or found.high < 0) == (p < 0.05)


def test_without_a_change_the_interval_still_has_a_width():
    found = tango(0, 0, 24)
    assert found.estimate == 0
    assert found.high == pytest.approx(Z**2 / (24 + Z**2))
    assert found.low == pytest.approx(-found.high)


@pytest.mark.parametrize("b", [0, 5])
def test_the_other_way_round_it_is_mirrored(b: int):
    one, other = tango(b, 5, 5 + b), tango(5, b, 5 + b)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert -1 <= one.low <= one.high <= 1


def test_it_covers_the_true_change_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    truth, n = [0.1, 0.2, 0.5, 0.2], 40
    tables = rng.multinomial(n, truth, size=800)
    hits = [t.low <= -0.1 <= t.high for t in (tango(int(b), int(c), n) for b, c, *_ in tables)]
    assert 0.92 <= np.mean(hits) <= 0.98


def test_questions_without_a_reading_are_left_out():
    found = paired([True, None, False], [True, True, None])
    assert (found.n, found.gained, found.lost, found.p) == (1, 0, 0, 1.0)
    assert paired([None], [True]).interval is None


@pytest.mark.parametrize("counts", [(3, 3, 5), (-1, 0, 5), (0, 0, 0)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int]):
    with pytest.raises(ValueError, match="gained and lost"):
        tango(*counts)
