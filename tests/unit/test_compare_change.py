"""Differences of figures from two result files: as one evaluation of both would have them."""

import math
from dataclasses import asdict, replace
from typing import get_args

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep

from cai.evaluate.change import Change, Sided, changes, headline, unpaired
from cai.evaluate.probes import probes_result
from cai.evaluate.probes.calibration import Belief
from cai.evaluate.probes.content import Level
from cai.evaluate.probes.run import Probing
from cai.evaluate.probes.sycophancy import Sway
from cai.evaluate.results import Figure, Result, figure
from cai.evaluate.reward_model.report import ScoredPair, reward_model_result
from cai.evaluate.two_turn import Question, TurnScore, two_turn_result
from cai.evaluate.winrate import Contest, Judgement, winrate_result
from cai.loading import load
from cai.validation.statistics.intervals import wilson
from tests.unit.compare_helpers import (
    CHANCE,
    PROMPTS,
    TRUSTED,
    adherence,
    refusals,
    scored,
    tax,
)
from tests.unit.winrate_helpers import duels

LEVELS = get_args(Level)[:2]


def stored(result: Result) -> Result:
    """As it comes back from its file."""
    return load(Result, orjson.dumps(asdict(result)))


def between(after: Result, before: Result, one: str = "b", other: str = "a") -> dict[str, Change]:
    found = changes(Sided(stored(after), one), Sided(stored(before), other), draws=100)
    return {change.key: change for change in found}


def same(change: Change, expected: Figure) -> None:
    assert change.basis == "paired"
    told = (change.value, change.low, change.high)
    assert told == pytest.approx((expected.value, expected.low, expected.high), abs=1e-9)
    assert change.n == expected.n


def joint(result: Result, name: str, group: str, subject: str = "b") -> Figure:
    (found,) = (
        f
        for f in result.figures
        if (f.name, f.group, f.subject) == (name, group, subject) and f.against
    )
    return found


@pytest.mark.parametrize("samples", [1, 2])
def test_refusals_of_two_files_differ_as_within_one_evaluation(samples: int):
    both = refusals({"a": 0.8, "b": 0.6}, samples=samples)
    found = between(refusals({"b": 0.6}, samples=samples), refusals({"a": 0.8}, samples=samples))
    rates = ("refusal_recall", "over_refusal", "f1", "attack_success", "twin_consistency")
    for name in rates:
        for group in ("all", "theft"):
            same(found[f"refusal/{name}/{group}"], joint(both, name, group))


def test_adherence_of_two_files_differs_as_within_one_evaluation():
    both = adherence({"a": 0.5, "b": 0.6})
    alone = {name: replace(both, details=_only(both, name)) for name in "ab"}
    found = between(alone["b"], alone["a"])
    for group in ("all", "kind", "brief"):
        same(found[f"adherence/adherence/{group}"], joint(both, "adherence difference", group))


def _only(result: Result, subject: str) -> dict[str, object]:
    return {"readings": [r for r in result.details["readings"] if r["subject"] == subject]}


def test_a_reading_that_one_model_lacks_is_left_out_of_both():
    both = adherence({"a": 0.5, "b": 0.6})
    rows = _only(both, "b")["readings"]
    assert isinstance(rows, list)
    silent = [{**row, "points": None} if i < 2 else row for i, row in enumerate(rows)]
    points = [row["points"] for row in silent if row["points"] is not None]
    figures = tuple(
        replace(f, value=sum(points) / len(points)) if f.subject == "b" and not f.against else f
        for f in both.figures
    )
    after = replace(both, details={"readings": silent}, figures=figures)
    found = between(after, replace(both, details=_only(both, "a")))["adherence/adherence/all"]
    theirs = [row["points"] for row in both.details["readings"] if row["subject"] == "a"][2:]
    assert (found.basis, found.n) == ("paired", len(PROMPTS) - 1)
    assert found.value == pytest.approx(sum(points) / len(points) - sum(theirs) / len(theirs))


def test_the_tax_of_two_files_differs_as_within_one_evaluation():
    one, other = scored(0.9, 1), scored(0.7, 2)
    both = tax({"a": one, "b": other}, "a")
    found = between(tax({"b": other}), tax({"a": one}))
    for group in ("all", "arithmetic", "language"):
        same(found[f"tax/accuracy/{group}"], joint(both, "accuracy, difference", group))


def test_a_model_that_falls_silent_shows_no_change_of_its_tax():
    silent = [replace(one, right=None, outcome="unparsed") for one in scored(0.9, 1)[:20]]
    after = tax({"b": [*silent, *scored(0.9, 1)[20:]]})
    found = between(after, tax({"a": scored(0.9, 1)}))["tax/accuracy/all"]
    assert found.value is None
    assert "has no reading for 20 of the 40 questions" in found.unmeasured


def test_probes_of_two_files_differ_as_within_one_evaluation():
    both = probes_result(probing("a", "b"), ["a", "b"], draws=100)
    one, other = (probes_result(probing(name), [name], draws=100) for name in "ab")
    found = between(other, one)
    for name, group in (
        ("moves to the stated opinion", "sycophancy/all"),
        ("right when asked plainly", "sycophancy/all"),
        ("right", "calibration/all"),
        ("Brier score, 0 to 2", "calibration/all"),
    ):
        same(found[f"probes/{name}/{group}"], joint(both, f"{name}, difference", group))
    # The calibration error is no mean over questions: only its two intervals are left.
    assert found["probes/calibration error/calibration/all"].basis == "unpaired"


def probing(*names: str) -> Probing:
    sways: dict[str, list[Sway]] = {}
    beliefs: dict[str, list[Belief]] = {}
    for name in names:
        drawn = np.random.default_rng(ord(name))
        sways[name] = [
            Sway(f"s{i}", "facts", i % 2, *_sway(drawn.random(6).tolist())) for i in range(12)
        ]
        shares = drawn.dirichlet([1.0, 1.0, 1.0], 12).tolist()
        beliefs[name] = [
            Belief(f"c{i}", LEVELS[i % 2], i % 2, tuple(s)) for i, s in enumerate(shares)
        ]
    return Probing(sycophancy=sways, calibration=beliefs)


def _sway(p: list[float]) -> tuple[object, ...]:
    return p[0], (p[1], p[2]), (0,), (p[3],), (p[4],)


def test_turns_of_two_files_differ_as_within_one_evaluation():
    questions = [Question(f"q{i}", "ab"[i % 2], ("First?", "Then?")) for i in range(14)]
    drawn = np.random.default_rng(3)
    scores = {
        name: [
            TurnScore(name, q, turn, "answered", float(drawn.integers(1, 11)))  # type: ignore[arg-type]
            for q in questions
            for turn in (1, 2)
        ]
        for name in "ab"
    }
    trusted = replace(TRUSTED, about="helpfulness")
    both = two_turn_result([*scores["a"], *scores["b"]], ["a", "b"], trusted, draws=100)
    one, other = (two_turn_result(scores[n], [n], trusted, draws=100) for n in "ab")
    found = between(other, one)
    for group in ("all", "category a"):
        same(found[f"two-turn/turn 1/{group}"], joint(both, "turn 1, difference", group))


def test_wins_over_the_same_model_differ_as_within_one_evaluation():
    drawn = np.random.default_rng(5)
    over = {
        name: duels(drawn.choice([0.0, 0.5, 1.0], len(PROMPTS)).tolist(), first=name, second="base")
        for name in "ab"
    }

    def result(*names: str) -> Result:
        pairs = tuple((name, "base") for name in names)
        groups = {prompt.id: f"g{i}" for i, prompt in enumerate(PROMPTS)}
        contest = Contest((*names, "base"), pairs, "base", tuple(PROMPTS), groups, {})
        rows = tuple(duel for name in names for duel in over[name])
        return winrate_result(contest, Judgement(rows, TRUSTED, "constitution"), draws=100)

    both = result("b", "a")
    found = between(result("b"), result("a"))["winrate/win rate against base/all"]
    expected = next(f for f in both.figures if f.name == "win rate difference")
    assert (expected.subject, expected.against) == ("b", "a")
    same(found, expected)


def test_accuracy_of_reward_models_is_paired_on_the_same_pairs_alone():
    def result(seed: int, inputs: str) -> Result:
        gaps = np.random.default_rng(seed).normal(0.5, 1.0, 30).tolist()
        pairs = [ScoredPair(f"g{i}", "", gap, 0.0, 5, 9) for i, gap in enumerate(gaps)]
        return reward_model_result("rm", pairs, draws=100, inputs=inputs)

    key = "reward-model/accuracy/all"
    found = between(result(1, "x"), result(2, "x"), "rm", "rm")[key]
    right = [[p["chosen"] > p["rejected"] for p in result(s, "x").details["pairs"]] for s in (1, 2)]
    assert found.value == pytest.approx(np.mean(right[0]) - np.mean(right[1]))
    assert found.basis == "paired"
    other = between(result(1, "x"), result(2, "y"), "rm", "rm")[key]
    assert (other.basis, other.unlike) == ("unpaired", ("other questions",))


def test_rows_that_do_not_make_the_figure_are_not_paired():
    after, before = refusals({"b": 0.6}), refusals({"a": 0.8})
    cut = {**after.details, "rows": after.details["rows"][:20]}
    found = between(replace(after, details=cut), before)["refusal/over_refusal/all"]
    assert found.basis == "unpaired"


def test_rows_of_an_older_version_are_not_paired():
    after, before = refusals({"b": 0.6}), refusals({"a": 0.8})
    old = [{k: v for k, v in row.items() if k != "pair"} for row in after.details["rows"]]
    found = between(replace(after, details={"rows": old}), before)
    assert found["refusal/twin_consistency/all"].basis == "unpaired"
    assert found["refusal/over_refusal/all"].basis == "paired"
    bare = between(replace(after, details={}), before)
    assert {one.basis for one in bare.values()} == {"unpaired"}


def test_what_no_evaluator_can_measure_has_no_difference():
    found = between(refusals({"b": 0.6}, evaluator=CHANCE), refusals({"a": 0.8}))
    over = found["refusal/over_refusal/all"]
    assert over.value is None
    assert over.reading == "none"
    assert over.unmeasured.startswith("not measurable with this evaluator")
    assert not over.worse_by(0.0)


def test_another_judge_or_constitution_is_named():
    before = replace(adherence({"a": 0.5}), constitution="x" * 64)
    after = replace(adherence({"b": 0.5}), constitution="y" * 64)
    assert between(after, before)["adherence/adherence/all"].unlike == ("other constitution",)
    other = replace(after, evaluators=tuple(replace(e, fingerprint="j") for e in after.evaluators))
    unlike = between(other, before)["adherence/adherence/all"].unlike
    assert unlike == ("other judge", "other constitution")


def test_headlines_are_figures_over_all_cases():
    found = between(refusals({"b": 0.6}), refusals({"a": 0.8})).values()
    assert {one.after.group for one in headline(found)} == {"all"}
    probes = between(*(probes_result(probing(n), [n], draws=100) for n in "ba")).values()
    assert {one.after.group for one in headline(probes)} == {"sycophancy/all", "calibration/all"}


counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def share(told: tuple[int, int], **more: object) -> Figure:
    return figure("rate", "m", wilson(*told), **more)


@given(counts, counts)
def test_the_unpaired_difference_of_shares_is_newcombes(
    after: tuple[int, int], before: tuple[int, int]
):
    found = unpaired(share(after), share(before))
    assert found is not None
    expected = confint_proportions_2indep(*after, *before, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx(
        (max(-1.0, expected[0]), min(1.0, expected[1])), abs=1e-9
    )


@given(counts, counts)
def test_the_other_way_round_the_unpaired_difference_has_the_other_sign(
    after: tuple[int, int], before: tuple[int, int]
):
    one, other = unpaired(share(after), share(before)), unpaired(share(before), share(after))
    assert one is not None and other is not None
    assert (one.estimate, one.low, one.high) == pytest.approx(
        (-other.estimate, -other.high, -other.low), abs=1e-12
    )


def test_scores_differ_by_what_their_intervals_allow():
    one = Figure("s", "m", 6.0, 5.0, 7.5, 20, unit="score")
    other = Figure("s", "m", 4.0, 3.8, 4.4, 30, unit="score")
    found = unpaired(one, other)
    assert found is not None
    assert (found.estimate, found.n) == (2.0, 50)
    assert found.low == pytest.approx(2 - math.hypot(1.0, 0.4))
    assert found.high == pytest.approx(2 + math.hypot(1.5, 0.2))
    assert unpaired(one, replace(other, low=None)) is None


directions = st.sampled_from(["higher", "lower", ""])


@given(counts, counts, directions, st.floats(0.0, 0.5))
def test_a_regression_is_one_of_the_bad_side_alone(
    after: tuple[int, int], before: tuple[int, int], better: str, tolerance: float
):
    one, other = share(after, better=better), share(before, better=better)
    gap = unpaired(one, other)
    assert gap is not None
    change = Change("refusal", other, one, gap.estimate, gap.low, gap.high, gap.n, "unpaired")
    bad = {"higher": gap.high < -tolerance, "lower": gap.low > tolerance, "": False}[better]
    assert change.worse_by(tolerance) == bad
    assert not (change.worse_by(0.0) and change.reading != "worse")
    if change.reading == "open":
        assert gap.low <= 0.0 <= gap.high


@settings(max_examples=15)
@given(st.lists(st.booleans(), min_size=20, max_size=40))
def test_a_model_compared_with_itself_has_not_changed(right: list[bool]):
    rows = [replace(one, right=r) for one, r in zip(scored(1.0, 0, 40), right, strict=False)]
    change = between(tax({"b": rows}), tax({"a": rows}))["tax/accuracy/all"]
    assert change.value in (0.0, None)
    assert change.reading in ("open", "none")
