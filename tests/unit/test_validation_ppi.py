"""Prediction-powered means: against `ppi_py`, and against the truth over simulated data sets."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest

from cai.validation.statistics.ppi import PPIEstimate, ppi_mean

SETS = 2000


@dataclass(frozen=True)
class World:
    """Items with a true rate, a judge (None: noise), a plan and clusters."""

    rate: float
    accuracy: float | None = 0.85
    soft: bool = False
    strata: bool = False
    cluster: int = 1
    n: int = 200
    size: int = 1000

    def draw(self, rng: np.random.Generator) -> PPIEstimate:
        y, f = self.items(rng)
        labelled, pi, stratum = self.plan(rng, f)
        order = np.concatenate([labelled, np.setdiff1d(np.arange(self.size), labelled)])
        return ppi_mean(
            y[labelled],
            f[labelled],
            f[order[len(labelled) :]],
            inclusion=pi if self.strata else None,
            strata=stratum[order] if self.strata else None,
            clusters=(np.arange(self.size) // self.cluster)[order] if self.cluster > 1 else None,
        )

    def items(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = rng.random(self.size) < self.rate
        if self.cluster > 1:
            # Half of the items repeat one draw of their cluster.
            shared = np.repeat(rng.random(self.size // self.cluster) < self.rate, self.cluster)
            y = np.where(rng.random(self.size) < 0.5, shared, y)
        if self.accuracy is None:
            return y.astype(float), rng.random(self.size)
        f = np.where(rng.random(self.size) < self.accuracy, y, ~y)
        if self.soft:
            f = np.where(f, rng.beta(8, 2, self.size), rng.beta(2, 8, self.size))
        return y.astype(float), f.astype(float)

    def plan(
        self, rng: np.random.Generator, f: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labelled items, their inclusion probability, and everyone's stratum."""
        if not self.strata:
            return rng.permutation(self.size)[: self.n], np.ones(self.n), np.zeros(self.size)
        stratum = np.digitize(f, [0.35, 0.65])
        chosen, pi = [], []
        for h, rate in enumerate((0.4, 0.3, 0.1)):
            inside = np.flatnonzero(stratum == h)
            k = max(2, round(rate * len(inside)))
            chosen.append(rng.permutation(inside)[:k])
            pi.append(np.full(k, k / len(inside)))
        return np.concatenate(chosen), np.concatenate(pi), stratum


def simulate(world: World, sets: int = SETS, seed: int = 0) -> list[PPIEstimate]:
    rng = np.random.default_rng(seed)
    return [world.draw(rng) for _ in range(sets)]


def coverage(found: list[PPIEstimate], truth: float) -> float:
    return float(np.mean([e.low <= truth <= e.high for e in found]))


def widths(found: list[PPIEstimate]) -> tuple[float, float]:
    return (
        float(np.mean([e.high - e.low for e in found])),
        float(np.mean([e.classical_high - e.classical_low for e in found])),
    )


@pytest.mark.parametrize("seed", range(6))
def test_separate_samples_equal_the_oracle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(20, 300)), int(rng.integers(50, 2000))
    truth = rng.random(n + m)
    f = np.clip(truth + rng.normal(0, 0.2 * seed, n + m), -1, 2)
    y = truth[:n] if seed % 2 else (truth[:n] < 0.4).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ppi_py import ppi_mean_ci, ppi_mean_pointestimate

        for power in (None, 0.0, 0.3, 1.0):
            point = ppi_mean_pointestimate(y, f[:n], f[n:], lam=power)
            low, high = ppi_mean_ci(y, f[:n], f[n:], alpha=0.1, lam=power)
            ours = ppi_mean(
                y, f[:n], f[n:], nested=False, power=power, interval="normal", level=0.9
            )
            assert ours.method == "normal"
            assert ours.estimate == pytest.approx(point.item(), abs=1e-9)
            assert (ours.low, ours.high) == pytest.approx((low.item(), high.item()), abs=1e-9)
            # The oracle keeps its λ to itself: the estimate is linear in it.
            if power is None:
                ends = [ppi_mean_pointestimate(y, f[:n], f[n:], lam=x).item() for x in (0, 1)]
                lam = (point.item() - ends[0]) / (ends[1] - ends[0])
                assert ours.power == pytest.approx(lam, abs=1e-9)


def test_nested_is_the_same_estimator_with_the_overlap_counted() -> None:
    rng = np.random.default_rng(1)
    y, f = rng.normal(size=100), rng.normal(size=400)
    y += 0.5 * f[:100]
    nested = ppi_mean(y, f[:100], f[100:], interval="normal")
    separate = ppi_mean(y, f[:100], f[100:], nested=False, interval="normal")
    # mean_N f − mean_n f = (m/N) (mean_m f − mean_n f): λ differs by m/N, the estimate does not.
    assert nested.estimate == pytest.approx(separate.estimate, abs=1e-12)
    assert nested.power == pytest.approx(separate.power * 400 / 300, abs=1e-12)
    assert (nested.n_labelled, nested.n_all) == (100, 400)


WORLDS = {
    "good judge": World(0.3, 0.95),
    "fair judge": World(0.5, 0.8),
    "noise": World(0.7, None),
    "unequal inclusion": World(0.4, 0.85, soft=True, strata=True),
    "noise, unequal inclusion": World(0.6, None, strata=True),
    "clusters": World(0.5, 0.85, cluster=20),
    "clusters, unequal inclusion": World(0.6, 0.9, soft=True, strata=True, cluster=5),
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_the_interval_covers_the_truth(world: World) -> None:
    found = simulate(world)
    assert 0.93 <= coverage(found, world.rate) <= 0.97
    assert np.mean([e.estimate for e in found]) == pytest.approx(world.rate, abs=0.004)
    with_judge, without = widths(found)
    assert with_judge <= without * 1.005
    if world.accuracy is not None and not world.strata:
        assert with_judge < 0.92 * without


@pytest.mark.parametrize(
    "world",
    [
        World(0.5, n=30),
        World(0.3, 0.95, n=50),
        World(0.05, 0.95),
        World(0.98, 0.99),
        World(0.5, 0.99),
        World(0.5, cluster=100),
    ],
    ids=["30 labels", "50 labels", "low rate", "extreme rate", "hardly an error", "10 clusters"],
)
def test_where_the_normal_interval_falls_short(world: World) -> None:
    assert coverage(simulate(world, 500), world.rate) >= 0.93


def test_nothing_known_about_errors_widens_and_warns() -> None:
    rng = np.random.default_rng(0)
    f = (rng.random(2000) < 0.4).astype(float)
    same = ppi_mean(f[:100], f[:100], f[100:])
    normal = ppi_mean(f[:100], f[:100], f[100:], interval="normal")
    assert same.power == pytest.approx(1.0, abs=0.1)
    # Rule of three: up to 3 % of errors may have been missed in 100 labels.
    assert same.high - same.estimate >= 0.025
    assert same.high - same.low > normal.high - normal.low
    assert any("contradict" in warning for warning in same.warnings)


def test_labels_all_alike() -> None:
    found = ppi_mean(np.ones(50), np.full(50, 0.9), np.full(200, 0.9))
    assert found.power == 0
    assert found.high == pytest.approx(1.0)
    assert 0.9 < found.low < 0.95  # Clopper and Pearson: 0.929
    assert any("rarer side" in warning for warning in found.warnings)


def test_a_judge_that_says_nothing_or_the_opposite_is_not_used() -> None:
    rng = np.random.default_rng(2)
    y = (rng.random(200) < 0.5).astype(float)
    for f, u in ((np.full(200, 0.7), np.full(800, 0.7)), (1 - y, rng.random(800))):
        found = ppi_mean(y, f, u)
        assert found.power == 0
        assert (found.low, found.high) == (found.classical_low, found.classical_high)
        assert found.estimate == found.classical == pytest.approx(y.mean())
        assert found.gain == 1


def test_gain_is_worth_labels() -> None:
    found = World(0.5, 0.92).draw(np.random.default_rng(3))
    assert found.gain > 1.5
    assert found.n_worth == pytest.approx(found.gain * 200)
    assert found.method == "wilson"
    assert found.warnings == ()


@pytest.mark.parametrize("nested", [True, False])
def test_copies_in_a_cluster_count_once(nested: bool) -> None:
    rng = np.random.default_rng(4)
    y, f = rng.normal(size=60), rng.normal(size=200)
    ids = np.arange(200)
    once = ppi_mean(y, f[:60], f[60:], nested=nested, power=0.5, clusters=ids)
    twice = ppi_mean(
        np.repeat(y, 2),
        np.repeat(f[:60], 2),
        np.repeat(f[60:], 2),
        nested=nested,
        power=0.5,
        clusters=[f"group {i}" for i in np.repeat(ids, 2)],
    )
    assert twice.method == "t"
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high), abs=1e-12)


def test_strata_give_the_textbook_estimate_and_variance() -> None:
    rng = np.random.default_rng(5)
    counts, drawn = np.array([300, 700]), np.array([60, 70])
    means = np.array([0.0, 3.0])
    y = np.concatenate([rng.normal(m, 1, k) for m, k in zip(means, drawn, strict=True)])
    own = np.repeat([0, 1], drawn)
    strata = np.concatenate([own, np.repeat([0, 1], counts - drawn)])
    found = ppi_mean(y, np.zeros(130), np.zeros(870), strata=strata, interval="normal")
    given = ppi_mean(
        y, np.zeros(130), np.zeros(870), strata=strata, inclusion=(drawn / counts)[own]
    )
    share = counts / 1000
    mean = np.array([y[own == h].mean() for h in (0, 1)])
    spread = np.array([y[own == h].var() for h in (0, 1)])
    expected = share @ mean
    variance = share**2 @ (spread / drawn) + share @ (mean - expected) ** 2 / 1000
    assert found.estimate == given.estimate == pytest.approx(expected)
    assert ((found.high - found.low) / 2 / 1.959964) ** 2 == pytest.approx(variance, rel=1e-6)


def test_strata_without_a_label_or_with_one() -> None:
    rng = np.random.default_rng(6)
    y, f = (rng.random(80) < 0.5).astype(float), rng.random(300)
    strata = np.where(np.arange(300) >= 280, "unseen", "seen")
    strata[:1] = "one"
    found = ppi_mean(y, f[:80], f[80:], strata=strata)
    assert 0 < found.low < found.estimate < found.high < 1
    assert any("20 of 300 items" in warning for warning in found.warnings)


def test_everything_labelled_needs_no_judge() -> None:
    rng = np.random.default_rng(7)
    y = (rng.random(150) < 0.6).astype(float)
    found = ppi_mean(y, rng.random(150), [])
    assert found.estimate == pytest.approx(y.mean())
    assert found.n_all == found.n_labelled == 150


def test_one_label_gives_an_honest_answer() -> None:
    found = ppi_mean([1.0], [0.8], [0.4, 0.5])
    assert found.high - found.low > 0.5
    assert any("independent" in warning for warning in found.warnings)


def test_estimates_outside_the_range_are_moved_and_said() -> None:
    found = ppi_mean(np.zeros(40), np.tile([0.2, 0.3], 20), np.zeros(400), power=1.0)
    assert found.estimate == 0
    assert any("border" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": []}, "one label or more"),
        ({"predictions": [0.5]}, "one prediction per label"),
        ({"labels": [0.0, np.nan]}, "labels must be one row"),
        ({"level": 1.0}, "level"),
        ({"power": 1.5}, "power"),
        ({"inclusion": [0.0, 0.5]}, "inclusion"),
        ({"inclusion": [0.5]}, "inclusion"),
        ({"clusters": [1, 2]}, "clusters must name all 4 items"),
        ({"strata": [1, 1, 1, 1], "nested": False}, "separate samples"),
        ({"unlabelled": [], "nested": False}, "separate samples"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    fine: dict[str, object] = {
        "labels": [0.0, 1.0],
        "predictions": [0.1, 0.9],
        "unlabelled": [0.2, 0.3],
    }
    with pytest.raises(ValueError, match=message):
        ppi_mean(**(fine | change))  # type: ignore[arg-type]
