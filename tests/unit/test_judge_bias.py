"""What sways a judge: every figure against another library, or against its words in plain loops."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from cai.errors import SplitError
from cai.records import Pair, PrincipleVerdict, Prompt, Row, Verdict
from cai.store import RunStore
from cai.store.statistics import Rate
from cai.validation import Annotation, Labels
from cai.validation.bias import JudgedPair, Under, judge_report, read_judged
from cai.validation.bias.authors import Authors
from cai.validation.bias.length import fits, length_fit, length_rules
from cai.validation.bias.means import difference_interval, share_interval
from cai.validation.bias.orders import credit, order_accuracy, orders
from cai.validation.bias.own import self_preference
from cai.validation.bias.principles import principle_influence
from cai.validation.exchange import GivenLabel, keep_labels
from cai.validation.records import item_id
from cai.validation.statistics.intervals import wilson
from cai.validation.statistics.logistic import logistic, sigmoid
from tests.unit.store_helpers import FACTS, ask, fill, full_row, order, silent, verdict

NOBODY = Authors(frozenset({"judge"}), "other", "other", {})


def made_up(n: int, seed: int, *, gold: bool = True) -> list[JudgedPair]:
    """Pairs of a judge that likes the first slot and length, in groups of one to three."""
    rng = np.random.default_rng(seed)
    pairs = []
    for i in range(n):
        lengths = int(rng.integers(1, 400)), int(rng.integers(1, 400))
        lean = 0.004 * (lengths[0] - lengths[1]) + rng.normal()
        ab, ba = sigmoid([lean + 0.7, lean - 0.7]).tolist()
        pairs.append(
            JudgedPair(
                id=f"pair-{i}",
                group=f"group-{i // int(rng.integers(1, 4))}",
                kind="revision" if rng.random() < 0.5 else "samples",
                lengths=lengths,
                outcome="tie" if i % 5 == 0 else "first" if ab + ba > 1 else "second",
                p=0.5 * (ab + ba),
                ab=ab,
                ba=ba,
                slots=(ab, 1.0 - ba),
                masses=(0.9, float(rng.random())),
                under=(Under(f"p{i % 3}", 0.5 * (ab + ba), (ab > 0.5) != (ba > 0.5)),),
                gold=float(rng.integers(3)) / 2 if gold else None,
                own=("", "first", "second", "both")[int(rng.integers(4))],
            )
        )
    return pairs


# --- logistic regression ---


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("soft", [True, False])
def test_coefficients_and_errors_equal_statsmodels(seed, soft):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(80), rng.normal(size=80), rng.random(80)])
    y = rng.random(80) if soft else rng.integers(2, size=80).astype(float)
    groups = rng.integers(25, size=80)
    ours = logistic(x, y, groups.tolist())
    theirs = sm.GLM(y, x, family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, tol=1e-12
    )
    assert ours is not None
    assert ours.coefficients == pytest.approx(theirs.params, abs=1e-8)
    assert ours.errors == pytest.approx(theirs.bse, rel=1e-6)
    low, high = theirs.conf_int()[1]
    assert (ours.interval(1).low, ours.interval(1).high) == pytest.approx((low, high), rel=1e-6)


def test_no_coefficients_where_they_are_not_determined():
    x = np.arange(10.0)[:, None] - 4.5
    groups = list(range(10))
    assert logistic(x, (x[:, 0] > 0).astype(float), groups) is None  # separated
    assert logistic(np.hstack([x, 2 * x]), np.full(10, 0.4), groups) is None  # dependent
    assert logistic(x, np.full(10, 0.4), ["one"] * 10) is None
    assert logistic(x[:1], [0.4], [1]) is None
    with pytest.raises(ValueError, match="0 to 1"):
        logistic(x, np.full(10, 1.2), groups)
    with pytest.raises(ValueError, match="Need x"):
        logistic(x, [0.5], groups)


def test_sigmoid_does_not_overflow():
    assert sigmoid([-1e4, 0.0, 1e4]).tolist() == [0.0, 0.5, 1.0]


# --- length ---


@pytest.mark.parametrize("intercept", [True, False])
def test_the_length_model_equals_statsmodels(intercept):
    rng = np.random.default_rng(7)
    d, p = rng.integers(-500, 500, 90), rng.random(90)
    groups = [f"g{i % 40}" for i in range(90)]
    scale = np.sqrt(np.mean(d.astype(float) ** 2))
    columns = np.tanh(d / scale)[:, None]
    if intercept:
        columns = sm.add_constant(columns)
    codes = np.array([i % 40 for i in range(90)])
    theirs = sm.GLM(p, columns, family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": codes}, tol=1e-12
    )
    ours = length_fit("any", p, d, groups, intercept=intercept)
    assert ours is not None
    assert ours.scale == pytest.approx(scale)
    assert ours.slope.estimate == pytest.approx(theirs.params[-1], abs=1e-8)
    assert (ours.slope.low, ours.slope.high) == pytest.approx(theirs.conf_int()[-1], rel=1e-6)
    if intercept:
        assert ours.at_zero is not None
        ends = sigmoid([theirs.params[0], *theirs.conf_int()[0]])
        at = ours.at_zero
        assert [at.estimate, at.low, at.high] == pytest.approx(ends, rel=1e-6)
    else:
        assert ours.at_zero is None
        turned = length_fit("any", 1 - p, -d, groups, intercept=False)
        assert turned is not None
        assert turned.slope.estimate == pytest.approx(ours.slope.estimate)


def test_no_length_model_without_lengths():
    assert length_fit("any", [0.4, 0.6], [0, 0], ["a", "b"]) is None
    assert fits([]) == ()


def test_fits_look_from_the_side_that_they_name():
    pairs = made_up(120, 3)
    found = {(fit.name, fit.target): fit for fit in fits(pairs)}
    assert {name for name, _ in found} == {"any answer", "gold answer", "revision"}
    gold = [(q.p if q.gold else 1 - q.p) for q in pairs if q.gold != 0.5]
    assert found["gold answer", "p"].raw == pytest.approx(np.mean(gold))
    assert found["gold answer", "label"].raw == pytest.approx(np.mean([p > 0.5 for p in gold]))
    revised = [1 - q.p for q in pairs if q.kind == "revision"]
    assert found["revision", "p"].raw == pytest.approx(np.mean(revised))
    assert found["any answer", "p"].slope.low > 0  # the judge was made to like length


def test_rules_that_look_at_length_alone():
    pairs = made_up(150, 4)
    found = length_rules(pairs, draws=100)
    scored = [q for q in pairs if q.gold != 0.5]
    longer = [q for q in scored if (q.lengths[0] > q.lengths[1]) == (q.gold == 1)]
    longer = [q for q in longer if q.lengths[0] != q.lengths[1]]
    right = {q.id: float((q.p > 0.5) == (q.gold == 1)) for q in scored}
    assert found.n == len(scored)
    assert found.gold_longer_n == len(longer)
    assert found.gold_longer.estimate == pytest.approx(np.mean([right[q.id] for q in longer]))
    equal = sum(q.lengths[0] == q.lengths[1] for q in scored)
    rule = (len(longer) + 0.5 * equal) / len(scored)
    assert found.longer.estimate == pytest.approx(rule)
    assert found.shorter.estimate == pytest.approx(1 - rule)
    accuracy = np.mean(list(right.values()))
    assert found.over_longer.estimate == pytest.approx(accuracy - rule)
    assert found.over_shorter.estimate == pytest.approx(accuracy - 1 + rule)
    likes = [(q.p > 0.5) == (q.lengths[0] > q.lengths[1]) for q in pairs if len(set(q.lengths)) > 1]
    assert found.prefers_longer.estimate == pytest.approx(np.mean(likes))
    nothing = length_rules([])
    assert (nothing.n, nothing.longer, nothing.prefers_longer) == (0, None, None)


# --- orders ---


def test_credit_is_half_where_either_side_is_undecided():
    assert [credit(0.7, 1), credit(0.7, 0), credit(0.5, 1), credit(0.7, 0.5)] == [1, 0, 0.5, 0.5]


def test_accuracy_in_one_order_and_in_both():
    pairs = made_up(200, 1)
    found = order_accuracy(pairs, draws=200)
    both = single = n = 0.0
    for pair in pairs:
        if pair.gold != 0.5:
            n += 1
            both += (pair.p > 0.5) == (pair.gold == 1)
            for shown in (pair.ab, pair.ba):
                single += 0.5 * ((shown > 0.5) == (pair.gold == 1))
    assert found.n == n
    assert found.both.estimate == pytest.approx(both / n)
    assert found.single.estimate == pytest.approx(single / n)
    assert found.difference.estimate == pytest.approx((both - single) / n)
    kept = [q for q in pairs if q.gold != 0.5 and q.outcome != "tie"]
    assert found.decided_n == len(kept) < n
    assert found.decided.estimate == pytest.approx(
        np.mean([(q.p > 0.5) == (q.gold == 1) for q in kept])
    )
    assert found.difference.low < found.difference.estimate < found.difference.high
    assert found.verdict == found.both  # this run's p is the plain mean
    assert order_accuracy(made_up(20, 1, gold=False)).both is None


def test_verdicts_without_orders_have_an_accuracy_all_the_same():
    """Scores and propositions look at one answer at a time."""
    pairs = [replace(pair, ab=None, ba=None) for pair in made_up(100, 1)]
    found = order_accuracy(pairs, draws=200)
    assert (found.both_n, found.both, found.single, found.difference) == (0, None, None, None)
    assert found.verdict == order_accuracy(made_up(100, 1), draws=200).verdict
    assert found.n == sum(pair.gold != 0.5 for pair in pairs)


def test_consistency_and_slots():
    pairs = made_up(200, 2)
    found = orders(pairs, draws=200)
    same = [(q.ab > 0.5) == (q.ba > 0.5) for q in pairs]
    slots = [p > 0.5 for q in pairs for p in (q.ab, 1 - q.ba)]
    assert found.consistency.estimate == pytest.approx(np.mean(same))
    assert found.first_slot.estimate == pytest.approx(np.mean(slots))
    assert (found.consistency_n, found.first_slot_n) == (200, 400)
    assert found.first_slot.low > 0.5  # the judge was made to like it
    assert found.mean_mass == pytest.approx(np.mean([m for q in pairs for m in q.masses]))
    nothing = orders([])
    assert (nothing.consistency, nothing.first_slot, nothing.mean_mass) == (None, None, None)


def test_a_share_without_variance_has_wilsons_interval():
    groups = ["a", "a", "b", "c"]
    assert share_interval([1, 1, 1, 1], groups) == wilson(3, 3)
    assert share_interval([0, 0, 0, 0], groups) == wilson(0, 3)
    assert difference_interval([1, 1, 1, 1], groups).low == 1.0
    assert share_interval([1, 0], ["a", "a"]) is None


# --- principles and own answers ---


def test_principles():
    pairs = made_up(90, 5)
    found = principle_influence(pairs, draws=100)
    assert [one.principle for one in found] == ["p0", "p1", "p2"]
    for k, one in enumerate(found):
        those = pairs[k::3]
        scored = [q for q in those if q.gold != 0.5]
        right = np.mean([(q.p > 0.5) == (q.gold == 1) for q in scored])
        assert (one.n, one.answered, one.gold_n) == (30, 30, len(scored))
        assert one.accuracy.estimate == pytest.approx(right)
        assert one.sureness == pytest.approx(np.mean([abs(q.p - 0.5) for q in those]))
        assert one.flips == Rate(sum(q.under[0].flipped for q in those), 30)


def test_self_preference():
    pairs = made_up(150, 6)
    found = self_preference(pairs, NOBODY, draws=100)
    own = [q for q in pairs if q.own in ("first", "second")]
    likes = [(q.p > 0.5) == (q.own == "first") for q in own]
    gold = [0.5 if q.gold == 0.5 else float((q.gold == 1) == (q.own == "first")) for q in own]
    assert (found.n, found.gold_n, found.not_run) == (len(own), len(own), "")
    assert found.judge.estimate == pytest.approx(np.mean(likes))
    assert found.gold.estimate == pytest.approx(np.mean(gold))
    assert found.excess.estimate == pytest.approx(np.mean(likes) - np.mean(gold))


def test_self_preference_says_why_it_was_not_run():
    unlabelled = self_preference(made_up(60, 6, gold=False), NOBODY, draws=100)
    assert unlabelled.judge is not None
    assert "no gold label" in unlabelled.not_run
    both = [pair for pair in made_up(60, 6) if pair.own == "both"]
    assert "wrote both" in self_preference(both, NOBODY).not_run
    none = [pair for pair in made_up(60, 6) if pair.own == ""]
    assert "wrote none" in self_preference(none, NOBODY).not_run
    unknown = Authors(frozenset({"judge"}), "given:abc", "given:abc", {})
    assert "does not say" in self_preference(none, unknown).not_run


def pair_of(kind: str) -> Pair:
    return Pair("prompt", kind, "One.", "Two.", "sample 0", "sample 1")  # type: ignore[arg-type]


def test_authors():
    judge = frozenset({"openai/org/Judge-7B", "judge-7b"})
    critic = Authors(judge, "openai/other", "openai/org/Judge-7B", {})
    assert critic.own(pair_of("revision")) == "second"
    assert critic.own(pair_of("samples")) == ""
    policy = Authors(judge, "openai/org/Judge-7B", "openai/org/Judge-7B", {})
    assert policy.own(pair_of("samples")) == policy.own(pair_of("revision")) == "both"
    pair = pair_of("samples")
    given = Authors(judge, "given:abc", "given:abc", {pair.id: ("judge-7b", "llama-7b")})
    assert given.own(pair) == "first"
    assert Authors(judge, "given:abc", "", {}).own(pair) == ""


# --- reading a run ---


def test_weights_of_principles_are_no_effect_of_the_order(tmp_path):
    rows = []
    for i in range(6):
        prompt = ask(f"Weighted {i}?")
        # The judge has no position bias: p is the same in both orders.
        under = [
            PrincipleVerdict((name,), "first", (order("ab", p), order("ba", 1 - p)), p)
            for name, p in (("p1", 0.9), ("p2", 0.2), ("p3", 0.2))
        ]
        weighted = Verdict("first", tuple(under), (9 * 0.9 + 0.2 + 0.2) / 11)
        pair = Pair(prompt.id, "samples", f"A{i}", f"B{i}", "sample 0", "sample 1", weighted)
        rows.append((Row(prompt, "plan-1", pairs=(pair,)), "dev"))
    run = fill(tmp_path / "run", rows)
    given = [GivenLabel(item_id(r.pairs[0].id), "Ann", Annotation("first")) for r, _ in rows]
    with RunStore.open(run, durable=False) as store:
        keep_labels(Labels(store), given, "human")
        found = order_accuracy(read_judged(store, "report").pairs, draws=100)
    assert found.verdict.estimate == found.decided.estimate == 1.0
    assert found.both.estimate == found.single.estimate == 0.0
    assert found.difference.estimate == 0.0


QUESTIONS = tuple(ask(f"Question {i}?") for i in range(6))
SPLITS = ("train", "train", "dev", "dev", "held_out", "quarantine")


def row_of(prompt: Prompt, i: int) -> Row:
    judged = (verdict(0.8, 0.4, "first"), verdict(0.3, 0.6, "second"), silent("unparsed"))[i % 3]
    pair = Pair(
        prompt.id, "samples", f"Answer {i}.", f"Longer answer {i}.", "sample 0", "sample 1", judged
    )
    same = Pair(prompt.id, "samples", "Same.", "Same.", "sample 0", "sample 2", note="identical")
    return Row(prompt, "plan-1", pairs=(pair, same))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = [(row_of(prompt, i), SPLITS[i]) for i, prompt in enumerate(QUESTIONS)]
    return fill(tmp_path / "run", rows)  # type: ignore[arg-type]


def label(run: Path, kind: str, *choices: tuple[int, str], name: str = "Ann") -> None:
    given = [
        GivenLabel(item_id(row_of(QUESTIONS[i], i).pairs[0].id), name, Annotation(choice))  # type: ignore[arg-type]
        for i, choice in choices
    ]
    with RunStore.open(run, durable=False) as store:
        keep_labels(Labels(store), given, kind)  # type: ignore[arg-type]


def test_pairs_are_read_as_numbers(run):
    label(run, "human", (0, "first"), (1, "tie"), (4, "second"))
    label(run, "human", (4, "first"), name="Ben")
    label(run, "model", (2, "first"), (3, "first"), name="GPT")
    with RunStore.read(run) as store:
        judged = read_judged(store, "report")
        dev = read_judged(store, "calibration", kinds=("model",))
        held_out = read_judged(store, "report", "held_out")
        with pytest.raises(SplitError):
            read_judged(store, "calibration", "held_out")
    assert judged.gold_kind == "human"
    assert judged.disputed == 1
    assert [pair.gold for pair in judged.pairs] == [1.0, 0.5, None, None, None, None]
    assert [pair.gold for pair in dev.pairs] == [1.0, 1.0]
    assert len(held_out.pairs) == 1
    assert judged.not_judged == {"identical": 6}
    assert judged.orders == {"answered": 10, "unparsed": 2}
    first = judged.pairs[0]
    assert (first.ab, first.ba, first.p) == pytest.approx((0.8, 0.6, 0.7))
    assert (first.slots, first.lengths, first.outcome) == ((0.8, 0.4), (9, 16), "first")
    assert first.under == (Under("p1", pytest.approx(0.7), False),)
    third = judged.pairs[2]
    assert (third.p, third.ab, third.ba, third.outcome) == (None, None, None, "unparsed")


def test_labels_by_programs_are_gold_where_people_gave_none(run):
    label(run, "model", (0, "second"), name="GPT")
    with RunStore.read(run) as store:
        found = judge_report(store, draws=100)
    assert (found.gold.kind, found.gold.pairs) == ("model", 1)
    assert found.accuracy.n == 1
    assert found.accuracy.both is None  # one prompt group has no interval


def test_the_report_counts_everything_and_shows_no_text(run):
    label(run, "human", *((i, "first") for i in range(6)))
    with RunStore.read(run) as store:
        found = judge_report(store, draws=100)
        dev = judge_report(store, "dev", draws=100)
    assert (found.pairs, found.outcomes) == (6, {"first": 2, "second": 2, "unparsed": 2})
    assert found.accuracy.n == 4
    assert found.accuracy.both.estimate == 0.5
    assert found.judge == "openai/judge"
    assert (dev.pairs, dev.splits) == (2, ("dev",))
    assert "nswer" not in str(found).replace("answer'", "").replace("answers", "").replace(
        "answered", ""
    )


def test_several_principles_count_as_their_mean(tmp_path):
    one = PrincipleVerdict(("p1",), "first", (order("ab", 0.9), order("ba", 0.3)), 0.8)
    two = PrincipleVerdict(("p1", "p2"), "tie", (order("ab", 0.7), order("ba", 0.7)), 0.5)
    pair = Pair("x", "samples", "A", "B", "a", "b", Verdict("first", (one, two), 0.65))
    prompt = ask("Many?")
    rows = [(Row(prompt, "plan-1", pairs=(pair,)), "dev"), (full_row(ask("Old?")), "train")]
    with RunStore.read(fill(tmp_path / "run", rows)) as store:  # type: ignore[arg-type]
        pairs = read_judged(store, "report").pairs
    assert (pairs[0].ab, pairs[0].ba) == pytest.approx((0.8, 0.5))
    assert [under.principle for under in pairs[0].under] == ["p1", "2 principles together"]
    assert len(pairs) == 3
    assert FACTS["fingerprints"]["judge"] == "openai/judge"
