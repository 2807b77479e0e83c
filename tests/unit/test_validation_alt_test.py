"""The alternative annotator test: against a loop over the paper's definitions, and its edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp, wilcoxon

from cai.validation.statistics.alt_test import EPSILON, AltTest, alt_test


def by_the_paper(
    ratings: np.ndarray, judge: np.ndarray, epsilon: float, q: float, min_items: int
) -> dict[int, tuple[int, float, float, float, bool]]:
    """The procedure of arXiv:2501.10970, one annotator and one item at a time."""
    rows: dict[int, tuple[int, float, float, float]] = {}
    for j in range(ratings.shape[1]):
        w_f, w_h = [], []
        for i in range(ratings.shape[0]):
            others = [r for k, r in enumerate(ratings[i]) if k != j and r != -1]
            if ratings[i, j] == -1 or judge[i] == -1 or not others:
                continue
            s_f = sum(judge[i] == other for other in others) / len(others)
            s_h = sum(ratings[i, j] == other for other in others) / len(others)
            w_f.append(int(s_f >= s_h))
            w_h.append(int(s_h >= s_f))
        if len(w_f) < min_items:
            continue
        d = [h - f for h, f in zip(w_h, w_f, strict=True)]
        p = float(ttest_1samp(d, epsilon, alternative="less").pvalue)
        rows[j] = (len(d), sum(w_f) / len(d), sum(w_h) / len(d), p)
    order = sorted(rows, key=lambda j: rows[j][3])
    m, wins = len(rows), 0
    harmonic = sum(1 / k for k in range(1, m + 1))
    for rank, j in enumerate(order, 1):
        if rows[j][3] <= rank * q / (m * harmonic):
            wins = rank
    return {j: (*rows[j], j in order[:wins]) for j in rows}


def people(
    rng: np.random.Generator, items: int, annotators: int, noise: float, missing: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    gold = rng.integers(0, 3, items)
    ratings = disturb(rng, np.tile(gold[:, None], annotators), noise)
    ratings[rng.random(ratings.shape) < missing] = -1
    return gold, ratings


def disturb(rng: np.random.Generator, labels: np.ndarray, noise: float) -> np.ndarray:
    return np.where(rng.random(labels.shape) < noise, rng.integers(0, 3, labels.shape), labels)


@pytest.mark.parametrize("seed", range(25))
def test_decisions_match_the_paper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gold, ratings = people(rng, int(rng.integers(50, 120)), 3 + seed % 4, 0.3, missing=0.25)
    judge = disturb(rng, gold, (seed % 5) * 0.15)
    judge[rng.random(len(judge)) < 0.05] = -1
    for epsilon, q in ((0.1, 0.05), (0.2, 0.2)):
        expected = by_the_paper(ratings, judge, epsilon, q, 30)
        found = alt_test(ratings, judge, epsilon=epsilon, q=q)
        if len(expected) < 3:
            assert found.outcome == "not_run"
            continue
        assert {r.annotator for r in found.annotators} == set(expected)
        for r in found.annotators:
            n, rho_f, rho_h, p, rejected = expected[r.annotator]
            assert (r.n, r.rejected) == (n, rejected)
            assert (r.advantage_judge, r.advantage_human) == pytest.approx((rho_f, rho_h))
            assert r.p_value == pytest.approx(p, abs=1e-12)
        rate = sum(row[-1] for row in expected.values()) / len(expected)
        assert found.winning_rate == pytest.approx(rate)
        assert found.outcome == ("passed" if rate >= 0.5 else "failed")
        assert found.advantage == pytest.approx(np.mean([row[1] for row in expected.values()]))


@pytest.mark.parametrize("seed", range(10))
def test_rejections_are_those_of_statsmodels(seed: int) -> None:
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(seed)
    gold, ratings = people(rng, 60, 6, 0.35)
    found = alt_test(ratings, disturb(rng, gold, 0.4), skill="crowd")
    expected = multipletests([r.p_value for r in found.annotators], alpha=0.05, method="fdr_by")[0]
    assert [r.rejected for r in found.annotators] == list(expected)


def test_gold_passes_and_chance_fails() -> None:
    rng = np.random.default_rng(0)
    gold, ratings = people(rng, 100, 4, 0.3)
    good = alt_test(ratings, gold)
    assert (good.outcome, good.winning_rate, good.epsilon) == ("passed", 1.0, 0.15)
    assert "4 of 4 annotators" in good.reason
    chance = alt_test(ratings, rng.integers(0, 3, 100), skill="expert")
    assert (chance.outcome, chance.winning_rate, chance.epsilon) == ("failed", 0.0, 0.2)
    assert good.advantage is not None
    assert chance.advantage is not None
    assert good.advantage > chance.advantage


def test_a_judge_like_the_people_wins_rarely_without_margin() -> None:
    rng = np.random.default_rng(1)
    wins = []
    for _ in range(100):
        gold, ratings = people(rng, 60, 3, 0.3)
        wins.append(alt_test(ratings, disturb(rng, gold, 0.3), epsilon=0.0).outcome == "passed")
    assert np.mean(wins) <= 0.05


@pytest.mark.parametrize("annotators", [0, 1, 2])
def test_fewer_than_three_annotators_never_pass(annotators: int) -> None:
    found = alt_test(np.zeros((80, annotators), dtype=int), np.zeros(80, dtype=int))
    assert found == AltTest("not_run", found.reason, 0.15, 0.05, left_out=found.left_out)
    assert "needs 3" in found.reason


def test_annotators_with_few_items_are_left_out() -> None:
    rng = np.random.default_rng(2)
    gold, ratings = people(rng, 80, 4, 0.2)
    ratings[29:, 3] = -1
    found = alt_test(ratings, gold)
    assert (found.outcome, found.left_out) == ("passed", (3,))
    assert [r.annotator for r in found.annotators] == [0, 1, 2]
    ratings[29:, 2] = -1
    assert alt_test(ratings, gold).outcome == "not_run"


def test_items_of_one_annotator_or_without_a_verdict_do_not_count() -> None:
    rng = np.random.default_rng(3)
    gold, ratings = people(rng, 90, 3, 0.2)
    ratings[:20, 1:] = -1
    gold[20:30] = -1
    found = alt_test(ratings, gold)
    assert [r.n for r in found.annotators] == [60, 60, 60]


@pytest.mark.parametrize(("items", "outcome"), [(30, "failed"), (60, "passed")])
def test_all_agree(items: int, outcome: str) -> None:
    """D is 0 throughout: the t-test has no variance, and (1 − ε)ⁿ is the exact bound."""
    found = alt_test(np.ones((items, 3), dtype=int), np.ones(items, dtype=int), skill="crowd")
    assert [r.p_value for r in found.annotators] == pytest.approx([0.9**items] * 3)
    assert found.outcome == outcome


def test_the_judge_never_or_always_ahead() -> None:
    # Person 0 stands against everyone; the judge is with the rest.
    ratings = np.tile([0, 1, 1, 1], (40, 1))
    found = alt_test(ratings, np.ones(40, dtype=int))
    assert found.annotators[0].advantage_human == 0
    assert found.annotators[0].p_value == pytest.approx((0.85 / 2) ** 40)
    lost = alt_test(np.ones((40, 3), dtype=int), np.zeros(40, dtype=int))
    assert [r.p_value for r in lost.annotators] == [1.0] * 3
    assert (lost.outcome, lost.winning_rate) == ("failed", 0.0)


def test_below_thirty_items_both_tests_must_agree() -> None:
    rng = np.random.default_rng(4)
    gold, ratings = people(rng, 20, 3, 0.4)
    judge = disturb(rng, gold, 0.2)
    assert alt_test(ratings, judge).outcome == "not_run"
    found = alt_test(ratings, judge, min_items=10)
    for r in found.annotators:
        others = np.delete(ratings, r.annotator, axis=1)
        person = ratings[:, [r.annotator]]
        h, f = (others == person).sum(axis=1), (others == judge[:, None]).sum(axis=1)
        d = np.sign(h - f)
        t = ttest_1samp(d, 0.15, alternative="less").pvalue
        w = wilcoxon(d - 0.15, alternative="less", method="asymptotic").pvalue
        assert r.p_value == pytest.approx(max(t, w))
    same = alt_test(np.ones((20, 3), dtype=int), np.ones(20, dtype=int), min_items=10)
    assert same.annotators[0].p_value == pytest.approx(0.85**20)


def test_clusters_count_once() -> None:
    rng = np.random.default_rng(5)
    gold, ratings = people(rng, 50, 3, 0.3)
    judge = disturb(rng, gold, 0.2)
    once = alt_test(ratings, judge)
    copies = alt_test(
        np.repeat(ratings, 4, axis=0),
        np.repeat(judge, 4),
        clusters=np.repeat(np.arange(50), 4).astype(str),
    )
    assert [r.p_value for r in copies.annotators] == pytest.approx(
        [r.p_value for r in once.annotators]
    )
    one = alt_test(ratings, judge, clusters=np.zeros(50))
    assert one.winning_rate == 0


def test_margins_are_those_of_the_paper() -> None:
    assert EPSILON == {"expert": 0.2, "skilled": 0.15, "crowd": 0.1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"judge": np.zeros(9, dtype=int)},
        {"ratings": np.zeros(10, dtype=int)},
        {"epsilon": 1.0},
        {"q": 0.0},
        {"min_items": 0},
        {"clusters": np.zeros(3)},
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, object]) -> None:
    fine: dict[str, object] = {
        "ratings": np.zeros((10, 3), dtype=int),
        "judge": np.zeros(10, dtype=int),
    }
    with pytest.raises(ValueError, match="need"):
        alt_test(**(fine | wrong))  # type: ignore[arg-type]
