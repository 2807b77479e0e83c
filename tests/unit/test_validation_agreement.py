"""Measures of agreement against other libraries; intervals against their promise."""

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa
from statsmodels.stats.inter_rater import fleiss_kappa as fleiss_oracle
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from cai.validation.statistics.agreement import (
    agreement,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    mean_pairwise_kappa,
    percent_agreement,
)
from cai.validation.statistics.intervals import (
    Interval,
    cluster_bootstrap,
    share_difference,
    wilson,
)

_ = -1
# Krippendorff 2011, section C: 4 observers, 12 units, nominal alpha 0.743.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
).T
SAME = np.zeros((4, 3), dtype=int)
LONELY = np.array([[0, _], [_, 1], [_, _]])


def ratings(seed, items=60, annotators=4, k=3, right=0.6, missing=0.25):
    rng = np.random.default_rng(seed)
    shape = (items, annotators)
    true = rng.integers(k, size=(items, 1))
    said = np.where(rng.random(shape) < right, true, rng.integers(k, size=shape))
    return np.where(rng.random(shape) < missing, -1, said)


@pytest.mark.parametrize("seed", range(8))
def test_alpha_equals_the_krippendorff_package(seed):
    said = ratings(seed, k=2 + seed % 3, missing=0.1 * (seed % 6))
    data = np.where(said < 0, np.nan, said).T
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
    assert krippendorff_alpha(said) == pytest.approx(expected, abs=1e-9)


def test_alpha_of_the_published_example():
    assert krippendorff_alpha(PUBLISHED) == pytest.approx(0.743, abs=5e-4)


@pytest.mark.parametrize("seed", range(8))
def test_kappa_equals_scikit_learn_and_statsmodels(seed):
    a, b = ratings(seed, annotators=2).T
    both = (a >= 0) & (b >= 0)
    expected = cohen_kappa_score(a[both], b[both])
    assert cohen_kappa(a, b) == pytest.approx(expected, abs=1e-9)
    table = np.zeros((3, 3))
    np.add.at(table, (a[both], b[both]), 1)
    assert cohen_kappa(a, b) == pytest.approx(cohens_kappa(table).kappa, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_mean_pairwise_kappa_is_the_mean_over_pairs(seed):
    said = ratings(seed)
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    expected = np.mean([cohen_kappa(said[:, i], said[:, j]) for i, j in pairs])
    assert mean_pairwise_kappa(said) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_fleiss_equals_statsmodels_on_items_with_as_many_labels(seed):
    said = ratings(seed)
    for raters in (2, 3, 4):
        some = said[(said >= 0).sum(axis=1) == raters]
        table = np.stack([(some == c).sum(axis=1) for c in range(3)], axis=1)
        assert fleiss_kappa(said, raters) == pytest.approx(fleiss_oracle(table), abs=1e-9)
    whole = ratings(seed, missing=0.0)
    expected = fleiss_oracle(aggregate_raters(whole, n_cat=3)[0])
    assert fleiss_kappa(whole) == pytest.approx(expected, abs=1e-9)


def test_fleiss_takes_the_commonest_number_of_labels_and_the_larger_among_equals():
    said = np.array([[0, 0, 0], [0, 1, 1], [0, 1, _], [1, 1, _], [_, _, 0], [_, 0, _], [1, _, _]])
    assert fleiss_kappa(said) == fleiss_kappa(said, 3)
    assert fleiss_kappa(said[1:]) == fleiss_kappa(said[1:], 2)


def test_percent_agreement_counts_pairs_within_items():
    said = np.array([[0, 0, 1], [1, 1, 1], [0, 1, _], [0, _, _], [_, _, _]])
    assert percent_agreement(said) == pytest.approx((1 / 3 + 1 + 0) / 3)


@pytest.mark.parametrize(
    "measure", [krippendorff_alpha, fleiss_kappa, mean_pairwise_kappa, percent_agreement]
)
def test_measures_are_none_without_a_pair_of_labels(measure):
    assert measure(LONELY) is None
    assert measure(LONELY[:, :1]) is None
    assert measure(LONELY[:0]) is None


@pytest.mark.parametrize("measure", [krippendorff_alpha, fleiss_kappa, mean_pairwise_kappa])
def test_kappa_and_alpha_are_none_where_one_category_was_used(measure):
    assert measure(SAME) is None
    assert percent_agreement(SAME) == 1.0


def test_disagreement_of_two_constant_annotators_is_defined():
    assert cohen_kappa(np.zeros(4, dtype=int), np.ones(4, dtype=int)) == 0.0


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.zeros(3, dtype=int), np.array([[-2, 0]])])
def test_ratings_of_another_kind_are_an_error(bad):
    with pytest.raises(ValueError, match="must"):
        krippendorff_alpha(bad)


def test_other_arguments_that_are_errors():
    with pytest.raises(ValueError, match="at least 2 raters"):
        fleiss_kappa(PUBLISHED, 1)
    with pytest.raises(ValueError, match="same items"):
        cohen_kappa(PUBLISHED[:, 0], PUBLISHED[1:, 0])
    with pytest.raises(ValueError, match="needs a cluster"):
        agreement(PUBLISHED, [1, 2])


def test_agreement_bundles_the_measures():
    said = ratings(3)
    got = agreement(said, range(len(said)), draws=200, seed=5)
    assert (got.items, got.annotators) == (60, 4)
    assert got.pairable == ((said >= 0).sum(axis=1) >= 2).sum()
    for interval, measure in (
        (got.percent, percent_agreement),
        (got.cohen, mean_pairwise_kappa),
        (got.fleiss, fleiss_kappa),
        (got.alpha, krippendorff_alpha),
    ):
        assert interval.estimate == pytest.approx(measure(said), abs=1e-12)
        assert interval.low < interval.estimate < interval.high
        assert interval.n == 60
    assert got == agreement(said, range(len(said)), draws=200, seed=5)
    assert got != agreement(said, range(len(said)), draws=200, seed=6)


def test_agreement_is_none_where_nothing_can_be_said():
    one = agreement(PUBLISHED, ["prompt"] * 12)
    assert (one.percent, one.cohen, one.fleiss, one.alpha) == (None,) * 4
    lonely = agreement(LONELY, range(3))
    assert (lonely.pairable, lonely.annotators, lonely.fleiss, lonely.alpha) == (0, 2, None, None)
    same = agreement(SAME, range(4), draws=50)
    assert same.alpha is None
    assert (same.percent.low, same.percent.high) == (1.0, 1.0)


def test_draws_in_one_category_are_left_out_and_counted():
    said = np.array([[0, 0]] * 9 + [[0, 1]])
    alpha = agreement(said, range(10), draws=1000).alpha
    assert alpha.left_out == pytest.approx(0.9**10, abs=0.05)
    assert not alpha.trusted
    assert agreement(ratings(0), range(60), draws=100).alpha.trusted


def test_alpha_of_pairs_without_a_second_category_is_defined():
    assert krippendorff_alpha(np.array([[0, 0], [1, 1]])) == 1.0


def mean_of(values):
    return lambda rows: float(values[rows].mean())


def test_bootstrap_covers_the_mean_of_clusters():
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(30), 3)
    shared, apart = 0, 0
    for seed in range(50):
        values = np.repeat(rng.normal(size=30), 3) + 0.3 * rng.normal(size=90)
        wide = cluster_bootstrap(mean_of(values), clusters.tolist(), draws=300, seed=seed)
        narrow = cluster_bootstrap(mean_of(values), range(90), draws=300, seed=seed)
        shared += wide.low <= 0 <= wide.high
        apart += narrow.low <= 0 <= narrow.high
    assert 45 <= shared <= 50
    assert apart < 42


def test_bootstrap_of_alpha_covers():
    target = krippendorff_alpha(ratings(99, items=100_000, annotators=3))
    hits = 0
    for seed in range(60):
        said = ratings(seed, items=40, annotators=3)
        alpha = cluster_bootstrap(
            lambda rows, said=said: krippendorff_alpha(said[rows]), range(40), draws=200, seed=seed
        )
        hits += alpha.low <= target <= alpha.high
    assert hits >= 53


def test_bootstrap_draws_whole_clusters():
    clusters = ["a", "b", "a", "c", "b", "a"]
    seen = []

    def statistic(rows):
        counts = np.bincount(rows, minlength=6)
        seen.append(len(rows))
        assert counts[0] == counts[2] == counts[5]
        assert counts[1] == counts[4]
        return float(counts[3])

    assert cluster_bootstrap(statistic, clusters, draws=40).n == 3
    assert seen[0] == 6
    assert set(seen[1:41]) > {6}
    assert sorted(seen[41:]) == [3, 4, 5]


def test_bootstrap_is_corrected_towards_the_longer_tail():
    skewed = np.random.default_rng(0).exponential(size=40)
    got = cluster_bootstrap(mean_of(skewed), range(40), seed=3)
    rng = np.random.default_rng(3)
    plain = [skewed[rng.integers(40, size=40)].mean() for _ in range(2000)]
    low, high = np.quantile(plain, [0.025, 0.975])
    assert got.low > low
    assert got.high > high


def test_bootstrap_without_a_figure():
    assert cluster_bootstrap(lambda rows: 1.0, ["a", "a"]) is None
    assert cluster_bootstrap(lambda rows: 1.0, []) is None
    assert cluster_bootstrap(lambda rows: None, ["a", "b"]) is None
    first = iter([1.0])
    assert cluster_bootstrap(lambda rows: next(first, None), ["a", "b"], draws=9) is None
    with pytest.raises(ValueError, match="2 draws"):
        cluster_bootstrap(lambda rows: 1.0, ["a", "b"], draws=1)
    with pytest.raises(ValueError, match="level"):
        cluster_bootstrap(lambda rows: 1.0, ["a", "b"], level=95)


def test_bootstrap_of_two_clusters_stays_within_the_draws():
    got = cluster_bootstrap(mean_of(np.array([0.0, 1.0])), ["a", "b"], draws=50)
    assert (got.low, got.estimate, got.high) == (0.0, 0.5, 1.0)


def test_bootstrap_without_a_jackknife_value():
    got = cluster_bootstrap(lambda rows: 1.0 if len(set(rows)) == 2 else None, ["a", "b"])
    assert (got.low, got.high, got.trusted) == (1.0, 1.0, False)
    assert got.left_out == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_bootstrap_keeps_the_percentiles_where_the_correction_breaks_down(sign):
    values = np.zeros(100)
    values[0] = sign
    got = cluster_bootstrap(mean_of(values), range(100), draws=200, level=1 - 1e-9)
    assert min(abs(got.low), abs(got.high)) == 0.0
    assert got.low <= got.estimate <= got.high


def test_bootstrap_with_more_clusters_than_draws_skips_the_jackknife():
    calls = []
    cluster_bootstrap(lambda rows: calls.append(1) or float(rows.mean()), range(50), draws=20)
    assert len(calls) == 21


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (3, 10), (2.5, 5), (8, 8), (450, 1000)])
def test_wilson_equals_statsmodels(successes, n):
    expected = proportion_confint(successes, n, alpha=0.1, method="wilson")
    got = wilson(successes, n, 0.9)
    assert (got.low, got.high) == pytest.approx(expected, abs=1e-12)
    assert 0 <= got.low <= got.estimate <= got.high <= 1
    assert (got.level, got.n, got.trusted) == (0.9, n, True)


@pytest.mark.parametrize("arguments", [(0, 0), (-1, 3), (4, 3), (1, 3, 0.0), (1, 3, 1.0)])
def test_wilson_refuses_what_is_no_share(arguments):
    with pytest.raises(ValueError, match=r"share|successes|level"):
        wilson(*arguments)


def test_difference_of_shares_equals_statsmodels():
    got = share_difference(wilson(9, 30), wilson(16, 25))
    expected = confint_proportions_2indep(9, 30, 16, 25, method="newcomb", compare="diff")
    assert (got.low, got.high) == pytest.approx(expected, abs=1e-9)
    assert (got.estimate, got.n) == (pytest.approx(9 / 30 - 16 / 25), 55)
    with pytest.raises(ValueError, match="same level"):
        share_difference(wilson(1, 2), wilson(1, 2, 0.9))
    assert share_difference(wilson(5, 5), wilson(0, 5)).high == 1.0


def test_an_interval_is_frozen():
    with pytest.raises(AttributeError):
        Interval(0.5, 0.4, 0.6).low = 0.1
