"""Strengths, length, difficulty and sample sizes against oracles and planted truths."""

import math
from collections.abc import Sequence
from itertools import combinations

import choix
import numpy as np
import pytest
import statsmodels.api as sm

from cai.errors import UsageError
from cai.evaluate.means import Means
from cai.evaluate.winrate import Duel, comparisons_needed, strength_intervals
from cai.evaluate.winrate.figures import (
    difference_figures,
    overall_figures,
    pair_figures,
    win_interval,
)
from cai.evaluate.winrate.length import difficulties, length_figures, with_difficulty
from cai.evaluate.winrate.strength import ELO, strength_figures
from cai.formats.bradley_terry import most_likely
from cai.validation.statistics.intervals import wilson
from tests.unit.winrate_helpers import duels, find, played


def by_glm(names: Sequence[str], rows: Sequence[tuple[str, str, float]]) -> list[float]:
    """Bradley and Terry's model as a logistic regression of statsmodels; the first stands at 0."""
    x = np.zeros((len(rows), len(names) - 1))
    for row, (one, other, _) in zip(x, rows, strict=True):
        for name, sign in ((one, 1.0), (other, -1.0)):
            if name != names[0]:
                row[names.index(name) - 1] = sign
    y = np.array([credit for *_, credit in rows])
    fit = sm.GLM(y, x, family=sm.families.Binomial()).fit(tol=1e-13)
    return [0.0, *fit.params]


def rows_of(found: Sequence[Duel]) -> list[tuple[str, str, float]]:
    return [(d.first, d.second, d.credit) for d in found if d.credit is not None]


@pytest.mark.parametrize("seed", range(4))
def test_strengths_equal_choix(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items = 3 + seed
    wins = rng.integers(1, 9, size=(items, items))
    np.fill_diagonal(wins, 0)
    rows = [(i, j) for i in range(items) for j in range(items) for _ in range(wins[i, j])]
    theirs = choix.opt_pairwise(items, rows, method="Newton-CG", tol=1e-12)
    (ours,) = most_likely(wins[None].astype(float))
    assert ours == pytest.approx(theirs - theirs.mean(), abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_strengths_equal_statsmodels(seed: int, prior: float) -> None:
    rng = np.random.default_rng(seed)
    names = [f"m{i}" for i in range(2 + seed % 4)]
    found = played(dict(zip(names, rng.normal(0, 0.8, len(names)), strict=True)), 40, rng)
    rows = rows_of(found)
    if prior:
        rows += [(one, other, 0.5) for one, other in combinations(names, 2)]
    theirs = [ELO * s for s in by_glm(names, rows)]
    ours = strength_intervals(names, found, names[0], prior=prior, draws=50)
    estimates = [one.estimate for one in ours.values() if one is not None]
    assert estimates == pytest.approx(theirs, abs=1e-6)
    centred = strength_intervals(names, found, prior=prior, draws=50)
    estimates = [one.estimate for one in centred.values() if one is not None]
    assert sum(estimates) == pytest.approx(0.0, abs=1e-6)
    assert np.diff(estimates) == pytest.approx(np.diff(theirs), abs=1e-6)


def test_many_tables_at_once_are_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    wins = rng.integers(0, 9, (20, 4, 4)).astype(float)
    wins[:, range(4), range(4)] = 0.0
    wins[3, 0], wins[3, :, 0] = 0.0, 0.0  # Nobody has met item 0.
    wins[4, 1] = 0.0  # Item 1 has lost everything.
    together = most_likely(wins)
    assert np.isnan(together).any(axis=1).nonzero()[0].tolist() == [3, 4]
    for i, table in enumerate(wins):
        assert together[i] == pytest.approx(most_likely(table[None])[0], abs=1e-9, nan_ok=True)


def test_elo_of_two_is_the_odds_of_the_win_rate() -> None:
    found = strength_intervals(["base", "new"], duels([1.0] * 10 + [0.0]), "base", prior=0.0)
    assert found["new"] is not None and found["base"] is not None
    assert found["new"].estimate == pytest.approx(400.0)
    assert (found["base"].low, found["base"].high) == (0.0, 0.0)


def test_intervals_of_strengths_cover() -> None:
    """Of 60 simulated contests nearly all intervals hold the truth."""
    truth = {"a": 0.0, "b": 0.5, "c": -0.4}
    rng = np.random.default_rng(1)
    held = []
    for _ in range(60):
        found = strength_intervals(list(truth), played(truth, 60, rng, 0.0), "a", draws=200)
        for name in ("b", "c"):
            one = found[name]
            assert one is not None
            held.append(one.low <= ELO * truth[name] <= one.high)
    assert 0.88 <= np.mean(held) <= 1.0


def test_what_has_no_strength_says_why() -> None:
    apart = [*duels([1.0, 0.0, 0.5]), *duels([1.0, 0.0], first="x", second="y")]
    names = ["base", "new", "x", "y", "z"]
    with pytest.raises(UsageError, match=r"one scale.*: base, new; x, y; z.*--all-pairs"):
        strength_intervals(names, apart)
    with pytest.raises(UsageError, match="new has won 4 of 4 against base"):
        strength_intervals(["base", "new"], duels([1.0] * 4))
    with pytest.raises(UsageError, match="All 3 comparisons with a verdict are ties"):
        strength_intervals(["base", "new"], duels([0.5] * 3))
    figures = list(strength_figures(names, apart, "base"))
    assert [f.subject for f in figures] == names
    assert all(f.value is None and "one scale" in f.unmeasured for f in figures)
    assert strength_intervals(["base", "new"], duels([1.0, 0.0], groups=["g", "g"])) == {
        "base": None,
        "new": None,
    }


# --- win rates ---


def test_a_win_rate_is_a_mean_over_prompt_groups() -> None:
    """Ten copies of a prompt say what one says: the interval is as wide as that of ten prompts."""
    rng = np.random.default_rng(2)
    credits = rng.choice([0.0, 0.5, 1.0], 30).tolist()
    plain = find(list(pair_figures(duels(credits), by_principle=False, half_width=0.1)), "win rate")
    copied = duels(credits * 10, groups=[f"g{i % 30}" for i in range(300)])
    found = find(list(pair_figures(copied, by_principle=False, half_width=0.1)), "win rate")
    assert (found.value, found.n) == (pytest.approx(np.mean(credits)), 30)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def test_ties_alone_are_not_certainty() -> None:
    means = Means([f"g{i}" for i in range(31)])
    found = win_interval(means, [0.5] * 30 + [None])
    assert found is not None and found.estimate == 0.5
    half = (1 - wilson(30, 30).low) / 2
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half)) and half > 0.04
    one = win_interval(means, [0.5] * 29 + [1.0, None])
    assert one is not None and one.high - one.low < 2 * half
    assert win_interval(means, [None] * 31) is None


def test_differences_are_paired() -> None:
    """Both win on the easy prompts, so that only the hard ones tell them apart."""
    rng = np.random.default_rng(3)
    easy = rng.random(200) < 0.5
    better = np.where(easy, 1.0, rng.random(200) < 0.3)
    worse = np.where(easy, 1.0, 0.0)
    pairs = {
        ("one", "base"): duels(better.tolist(), first="one"),
        ("two", "base"): duels(worse.tolist(), first="two"),
    }
    (found,) = difference_figures(pairs, "base")
    assert (found.subject, found.against, found.group) == ("one", "two", "over base")
    assert found.value == pytest.approx(better.mean() - worse.mean())
    assert found.low is not None and found.high is not None and found.low > 0
    # Newcombe's interval of independent shares is far wider.
    separate = 2 * 1.96 * math.sqrt((better.var() + worse.var()) / 200)
    assert found.high - found.low < 0.75 * separate
    # What has no verdict on one side counts on neither.
    pairs["one", "base"][0] = duels([0.0])[0].__class__(
        "p0", "g0", (), "one", "base", (1, 1), "refused"
    )
    (fewer,) = difference_figures(pairs, "base")
    assert fewer.n == 199


def test_a_subject_against_all_others() -> None:
    found = [
        *duels([1.0, 1.0, 0.0, 1.0, 0.0], first="a", second="b"),
        *duels([1.0, 0.5, 0.0, 0.0, 1.0], first="c", second="a"),
        *duels([1.0, 1.0, 1.0, 0.0, 1.0], first="b", second="c"),
    ]
    rates = {f.subject: f for f in overall_figures(["a", "b", "c"], found, draws=100)}
    assert rates["a"].value == pytest.approx((3 + 2.5) / 10)
    assert rates["b"].value == pytest.approx((2 + 4) / 10)
    assert rates["c"].value == pytest.approx((2.5 + 1) / 10)
    assert {f.n for f in rates.values()} == {5}


# --- length ---


def with_lengths(
    rng: np.random.Generator, alpha: np.ndarray, phi: float, longer: np.ndarray, **names: str
) -> list[Duel]:
    scale = math.sqrt(float((longer**2).mean()))
    p = 1 / (1 + np.exp(-(alpha + phi * np.tanh(longer / scale))))
    won = (rng.random(len(p)) < p).astype(float)
    lengths = [(1000 + int(d), 1000) for d in longer]
    return duels(won.tolist(), lengths=lengths, ps=p.tolist(), **names)


def test_a_planted_effect_of_length_is_found_and_taken_out() -> None:
    """The new one is worse, and wins because it writes more."""
    rng = np.random.default_rng(4)
    longer = rng.normal(400, 300, 1500).round()
    found = with_lengths(rng, np.full(1500, -0.4), 1.6, longer)
    figures = list(length_figures(found))
    raw = np.mean([d.credit for d in found])
    truth = 1 / (1 + math.exp(0.4))
    rate = find(figures, "length-controlled win rate")
    assert rate.value is not None and rate.low is not None and rate.high is not None
    assert raw > 0.55 and rate.high < 0.5
    assert rate.low <= truth <= rate.high and rate.value == pytest.approx(truth, abs=0.05)
    slope = find(figures, "length effect")
    assert slope.low is not None and slope.high is not None
    assert slope.low <= 1.6 <= slope.high and slope.low > 1.0
    # The judge's probabilities are those of the model themselves.
    assert find(figures, "length-controlled preference").value == pytest.approx(truth, abs=1e-6)


def test_length_that_cannot_be_told_from_winning_has_no_figure() -> None:
    alike = list(length_figures(duels([1.0, 0.0, 1.0, 0.0])))
    longer_wins = duels([1.0, 0.0] * 5, lengths=[(20, 10), (10, 20)] * 5)
    for figures in (alike, list(length_figures(longer_wins))):
        assert len(figures) == 3
        assert all(f.value is None and "no solution" in f.unmeasured for f in figures)


def test_the_difficulty_of_prompts_is_taken_from_the_others() -> None:
    rng = np.random.default_rng(5)
    gamma = rng.normal(0, 1.5, 300)
    longer = rng.normal(0, 300, 300).round()
    pairs = {
        (name, "base"): with_lengths(rng, 0.3 + psi * gamma, 0.8, longer, first=name)
        for name, psi in (("a", 1.0), ("b", 1.2), ("c", 0.8), ("d", 0.5))
    }
    everything = [d for found in pairs.values() for d in found]
    hard = difficulties(everything, "a")
    assert sum(hard.values()) == pytest.approx(0.0, abs=1e-9)
    assert np.corrcoef([hard[f"p{i}"] for i in range(300)], gamma)[0, 1] > 0.95
    # What the subject itself did there has no part in it.
    others = [d for d in everything if d.first != "a"]
    assert difficulties(others, "a") == hard
    figures = {f.subject: f for f in with_difficulty(pairs, "base", draws=100)}
    assert list(figures) == ["a", "b", "c", "d"]
    for name, psi in (("a", 1.0), ("d", 0.5)):
        found = figures[name]
        truth = float((1 / (1 + np.exp(-(0.3 + psi * gamma)))).mean())
        assert found.low is not None and found.high is not None
        assert found.value == pytest.approx(truth, abs=0.02)
        assert found.low < truth < found.high
    # Two other subjects, or 49 prompts, are too few.
    assert not list(with_difficulty({k: v for k, v in pairs.items() if k[0] != "d"}, "base"))
    assert not list(with_difficulty({k: v[:49] for k, v in pairs.items()}, "base"))


# --- how many comparisons ---


@pytest.mark.parametrize(("tie", "copies"), [(0.0, 1), (0.6, 1), (0.2, 4)])
def test_so_many_comparisons_give_the_width(tie: float, copies: int) -> None:
    """Planned on 200 comparisons; the interval over as many as that says is as wide as wanted."""
    rng = np.random.default_rng(6)

    def draw(count: int) -> list[Duel]:
        groups = math.ceil(count / copies)
        won = (rng.random(groups) < 0.6).astype(float)
        won[rng.random(groups) < tie] = 0.5
        return duels(
            np.repeat(won, copies).tolist(),
            groups=[f"g{i}" for i in range(groups) for _ in range(copies)],
        )

    pilot = draw(200)
    wanted = comparisons_needed([d.credit or 0.0 for d in pilot], [d.group for d in pilot], 0.05)
    widths = []
    for _ in range(5):
        more = draw(wanted)
        found = Means([d.group for d in more], draws=400).share([d.credit for d in more])
        assert found is not None
        widths.append((found.high - found.low) / 2)
    assert np.mean(widths) == pytest.approx(0.05, rel=0.12)


def test_ties_need_fewer_comparisons_and_copies_more() -> None:
    groups = [f"g{i}" for i in range(100)]
    even = comparisons_needed([1.0, 0.0] * 50, groups, 0.05)
    assert even == pytest.approx(1.96**2 * 0.25 / 0.05**2, rel=0.01)
    assert comparisons_needed([1.0, 0.5, 0.5, 0.0] * 25, groups, 0.05) < 0.6 * even
    assert comparisons_needed([1.0, 0.0] * 50, groups, 0.1) == pytest.approx(even / 4, abs=1)
    fives = [f"g{i}" for i in range(20) for _ in range(5)]
    copied = comparisons_needed([1.0] * 50 + [0.0] * 50, fives, 0.05)
    assert copied == pytest.approx(5 * even, rel=0.06)
    # Having won everything is no certainty.
    assert comparisons_needed([1.0] * 10, groups[:10], 0.05) > 100
    for wrong in (0.0, 0.5):
        with pytest.raises(ValueError, match="half_width"):
            comparisons_needed([1.0], ["g"], wrong)
    with pytest.raises(ValueError, match="0 comparisons"):
        comparisons_needed([], [], 0.1)
