"""Gold labels from annotators who were simulated, so that the truth is known."""

import numpy as np
import pytest

from cai.validation.statistics.gold import dawid_skene, label_counts, majority, one_hot

GOOD = np.array([[0.85, 0.10, 0.05], [0.08, 0.84, 0.08], [0.05, 0.15, 0.80]])
# Calls what is 0 or 1 the other way round most of the time.
BAD = np.array([[0.15, 0.75, 0.10], [0.75, 0.15, 0.10], [0.10, 0.10, 0.80]])
GUESSES = np.full((3, 3), 1 / 3)


def simulate(confusions, items, missing=0.0, seed=0, prior=(0.5, 0.3, 0.2)):
    rng = np.random.default_rng(seed)
    true = rng.choice(3, size=items, p=prior)
    said = np.stack(
        [(rng.random((items, 1)) > c[true].cumsum(axis=1)).sum(axis=1) for c in confusions], axis=1
    )
    return true, np.where(rng.random(said.shape) < missing, -1, np.minimum(said, 2))


def plain_em(ratings, k, steps, smoothing):
    """The equations of the paper, one item and one annotator at a time."""
    items, annotators = ratings.shape
    posterior = np.zeros((items, k))
    for i in range(items):
        for said in ratings[i][ratings[i] >= 0]:
            posterior[i, said] += 1 / (ratings[i] >= 0).sum()
    for _ in range(steps):
        prior = posterior.sum(axis=0) + smoothing
        prior /= prior.sum()
        confusion = np.full((annotators, k, k), smoothing)
        for i, j in np.argwhere(ratings >= 0):
            confusion[j, :, ratings[i, j]] += posterior[i]
        confusion /= confusion.sum(axis=2, keepdims=True)
        for i in range(items):
            posterior[i] = prior
            for j in np.flatnonzero(ratings[i] >= 0):
                posterior[i] *= confusion[j, :, ratings[i, j]]
            posterior[i] /= posterior[i].sum()
    return posterior, confusion, prior


def test_em_is_its_equations():
    _, ratings = simulate([GOOD, BAD, GOOD, GUESSES], 40, missing=0.2, seed=4)
    ratings = ratings[(ratings >= 0).any(axis=1)]
    posterior, confusion, prior = plain_em(ratings, 3, 7, 0.05)
    got = dawid_skene(ratings, 3, iterations=7, tolerance=0.0, smoothing=0.05)
    assert got.iterations == 7
    np.testing.assert_allclose(got.posterior, posterior, atol=1e-9)
    np.testing.assert_allclose(got.confusion, confusion, atol=1e-9)
    np.testing.assert_allclose(got.prior, prior, atol=1e-9)


def test_em_recovers_known_confusions():
    _, ratings = simulate([GOOD, GOOD, BAD, GOOD, GUESSES], 4000, missing=0.2)
    got = dawid_skene(ratings, 3)
    assert got.iterations < 200
    for j, true in enumerate([GOOD, GOOD, BAD, GOOD, GUESSES]):
        np.testing.assert_allclose(got.confusion[j], true, atol=0.05)
    np.testing.assert_allclose(got.prior, [0.5, 0.3, 0.2], atol=0.03)
    np.testing.assert_allclose(got.posterior.sum(axis=1), 1.0)
    np.testing.assert_allclose(got.confusion.sum(axis=2), 1.0)


def test_em_beats_the_majority_where_one_annotator_is_bad():
    true, ratings = simulate([GOOD, GOOD, BAD], 1500, seed=2)
    by_vote = (majority(ratings) == true).mean()
    by_em = (dawid_skene(ratings, 3).posterior.argmax(axis=1) == true).mean()
    assert by_em > by_vote + 0.03


def test_em_of_many_annotators_does_not_underflow():
    true, ratings = simulate([GOOD] * 300 + [GUESSES] * 300, 50)
    got = dawid_skene(ratings, 3)
    assert np.isfinite(got.posterior).all()
    assert (got.posterior.argmax(axis=1) == true).all()


def test_em_without_labels_says_no_more_than_the_prior():
    ratings = np.array([[0, 0, -1], [1, 1, -1], [0, 0, -1], [-1, -1, -1]])
    got = dawid_skene(ratings, 2)
    np.testing.assert_allclose(got.posterior[3], got.prior)
    np.testing.assert_allclose(got.prior, [2 / 3, 1 / 3], atol=0.01)
    np.testing.assert_allclose(got.confusion[2], 0.5)
    nothing = dawid_skene(np.full((2, 3), -1), 4)
    np.testing.assert_allclose(nothing.posterior, 0.25)


@pytest.mark.parametrize("setting", [{"smoothing": 0.0}, {"iterations": 0}])
def test_em_refuses_settings_it_cannot_use(setting):
    with pytest.raises(ValueError, match="smoothing"):
        dawid_skene(np.zeros((2, 2), dtype=int), 2, **setting)


def test_em_refuses_codes_beyond_k():
    with pytest.raises(ValueError, match="from -1"):
        dawid_skene(np.array([[0, 2]]), 2)


def test_majority_is_none_on_a_draw():
    ratings = np.array([[0, 0, 1], [0, 1, -1], [2, -1, -1], [-1, -1, -1], [0, 1, 2], [2, 2, 2]])
    assert majority(ratings).tolist() == [0, -1, 2, -1, -1, 2]
    assert majority(ratings[:0]).tolist() == []


def test_counts_and_one_hot_leave_missing_labels_empty():
    ratings = np.array([[0, 2, -1], [1, 1, -1]], dtype=np.int8)
    assert label_counts(ratings).tolist() == [[1, 0, 1], [0, 2, 0]]
    assert one_hot(ratings, 4).shape == (2, 3, 4)
    assert one_hot(ratings)[:, 2].sum() == 0
