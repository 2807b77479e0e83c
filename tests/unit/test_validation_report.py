"""What people's labels are made to say: tables, gold labels, the judge against people, rates."""

import asyncio
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from cai.config import ValidationConfig
from cai.errors import UsageError
from cai.hashing import canonical_json, unit_interval
from cai.records import Row
from cai.store import RunStore
from cai.validation import Item, Labels, SamplingPlan, Stratum
from cai.validation.estimates import Estimates, estimate
from cai.validation.judged import judge_against_people, right
from cai.validation.records import Choice
from cai.validation.report import Report, make_report
from cai.validation.sampling.strata import stratum_of
from cai.validation.statistics.gold import dawid_skene
from cai.validation.statistics.ppi import ppi_mean
from cai.validation.table import GoldMethod, LabelTable, code_of, judge_code, read_table
from tests.unit.validation_helpers import (
    ALL,
    act,
    draw,
    judged,
    label_all,
    make_item,
    other,
    winner,
    write_run,
)

NAMES = ("first", "second", "tie")


@pytest.fixture
def labels(tmp_path: Path) -> Iterator[Labels]:
    with RunStore.open(tmp_path / "labels", durable=False) as store:
        yield Labels(store)


def put(labels: Labels, *items: Item) -> None:
    strata = (Stratum("all", 20, len(items)),)
    plan = SamplingPlan("plan-1", 0, strata, len(items), 3, 1.0, 0.0, False, "a test")
    labels.put_plan(plan, items)


def say(labels: Labels, items: list[Item], *columns: str) -> None:
    """Labels of Ann, Ben, Cyd …, a letter for each item: 1, 2, t, b, s, or a dot for none."""
    words: dict[str, Choice] = {"1": "first", "2": "second", "t": "tie", "b": "both_bad"}
    words["s"] = "skip"
    for name, column in zip(("Ann", "Ben", "Cyd", "Dan"), columns, strict=False):
        who = labels.add_annotator(name, "human")
        pairs = zip(items, column, strict=True)
        labels.act(act(who, item, words[c]) for item, c in pairs if c != ".")


# The table


def test_a_table_of_labels(labels: Labels):
    items = [make_item(i) for i in range(5)]
    again = make_item(0, repeat=True)
    put(labels, *items, again)
    say(labels, items, "12tbs", "....s", ".1..s")
    labels.act([act(labels.annotators()[0], again, "second")])
    table = read_table(labels)
    # A skip is no label, so Ben is no annotator and the last item has none; a repeat is no item.
    assert [a.name for a in table.annotators] == ["Ann", "Cyd"]
    assert table.items == tuple(items[:4])
    assert table.ratings.tolist() == [[0, -1], [1, 0], [2, -1], [2, -1]]
    assert table.judge.tolist() == [0, 0, 0, 0]
    assert table.groups == [item.group_id for item in items[:4]]
    assert table.gold.tolist() == [0, -1, 2, 2]
    assert table.settled == {"one label": 3, "open": 1}
    assert table.disputed == (items[1],)
    assert [code_of(c) for c in (*NAMES, "both_bad", "skip", None)] == [0, 1, 2, 2, -1, -1]  # type: ignore[arg-type]


def test_an_empty_table(labels: Labels):
    put(labels, make_item(0))
    for method in ("majority", "dawid-skene", "adjudicated"):
        table = read_table(labels, method)
        assert (table.items, table.annotators, table.settled) == ((), (), {})
        assert table.ratings.shape == (0, 0)


@pytest.mark.parametrize(
    ("method", "gold", "settled"),
    [
        ("majority", [0, 1, -1, 2], {"all agree": 1, "majority": 2, "open": 1}),
        ("adjudicated", [0, -1, -1, -1], {"all agree": 1, "open": 3}),
    ],
)
def test_how_several_labels_become_one(
    labels: Labels, method: GoldMethod, gold: list[int], settled: dict[str, int]
):
    items = [make_item(i) for i in range(4)]
    put(labels, *items)
    say(labels, items, "121t", "122b", "11t1")
    table = read_table(labels, method)
    assert table.gold.tolist() == gold
    assert table.settled == settled


def test_the_model_of_dawid_and_skene_knows_whom_to_trust(labels: Labels):
    items = [make_item(i) for i in range(24)]
    put(labels, *items)
    truth = "12" * 12
    # Ben is right but once; Ann says the opposite of what is; Cyd only labels the first half.
    wrong = "".join("21"[int(c) - 1] for c in truth)
    say(labels, items, wrong[:-2] + "..", truth[:-2] + "12", truth[:12] + "." * 12)
    by_votes, by_model = (read_table(labels, m) for m in ("majority", "dawid-skene"))
    assert by_votes.settled["open"] == 10
    assert by_model.settled == {"dawid-skene": 22, "one label": 2}
    assert by_model.gold.tolist() == [int(c) - 1 for c in truth]
    posterior = dawid_skene(by_model.ratings, 3).posterior
    assert by_model.gold.tolist() == posterior.argmax(axis=1).tolist()


def test_an_adjudicator_comes_first(labels: Labels):
    items = [make_item(i) for i in range(4)]
    put(labels, *items)
    say(labels, items, "1122", "2122", "2121")
    eve, bot = labels.add_annotator("Eve", "human"), labels.add_annotator("bot", "model")
    labels.act(
        [
            act(eve, items[0], "first", "adjudicate"),
            act(eve, items[1], "tie", "adjudicate"),
            act(eve, items[2], "first", "adjudicate"),
            act(eve, items[2], None, "adjudicate"),
            act(bot, items[3], "first", "adjudicate"),
        ]
    )
    for method in ("majority", "dawid-skene", "adjudicated"):
        table = read_table(labels, method)
        assert table.gold[:3].tolist() == [0, 2, 1]
        assert table.ruled.tolist() == [0, 2, -1, -1]
        assert table.settled["adjudicated"] == 2
        # She labels nothing: she is no column of the table.
        assert [a.name for a in table.annotators] == ["Ann", "Ben", "Cyd"]
    # One who cannot say it leaves the word of the one before.
    fay = labels.add_annotator("Fay", "human")
    labels.act([act(fay, items[0], "skip", "adjudicate")])
    assert read_table(labels).gold[0] == 0
    labels.act([act(fay, items[0], "second", "adjudicate")])
    assert read_table(labels).gold[0] == 1


# The judge against people


def table_of(*lines: tuple[Item, str]) -> LabelTable:
    gold = np.array([NAMES.index(said) if said else -1 for _, said in lines], dtype=np.int64)
    items = tuple(item for item, _ in lines)
    none = np.full(len(lines), -1, dtype=np.int64)
    return LabelTable(items, (), gold[:, None], none, gold, {})


def test_kappa_by_hand():
    lines = [(0.9, "first")] * 4 + [(0.9, "second")] + [(0.1, "second")] * 3 + [(0.1, "first")] * 2
    found = judge_against_people(
        table_of(*((make_item(i, p), said) for i, (p, said) in enumerate(lines))), draws=200
    )
    # p_o = 7/10; p_e = ½ · 6/10 + ½ · 4/10 = ½.
    assert found.kappa is not None
    assert found.kappa.estimate == pytest.approx(0.4)
    assert found.kappa.low < 0.4 < found.kappa.high
    assert (found.n, found.verdicts) == (10, 10)
    assert found.confusion == {
        ("first", "first"): 4,
        ("first", "second"): 1,
        ("second", "first"): 2,
        ("second", "second"): 3,
    }


def test_kappa_is_weighted_by_what_a_pair_stands_for():
    rng = np.random.default_rng(3)
    lines = []
    for i in range(60):
        p = (0.95, 0.5, 0.2)[rng.integers(3)]
        said = NAMES[rng.integers(3)] if rng.random() < 0.5 else winnerless(p)
        lines.append((make_item(i, p, inclusion=0.1 if p > 0.5 else 0.8), said))
    table = table_of(*lines)
    weights = [1 / item.inclusion for item, _ in lines]
    wanted = cohen_kappa_score(table.judge, table.gold, sample_weight=weights)
    plain = cohen_kappa_score(table.judge, table.gold)
    found = judge_against_people(table, draws=100).kappa
    assert found is not None
    assert found.estimate == pytest.approx(wanted)
    assert abs(wanted - plain) > 0.01


def winnerless(p: float) -> str:
    return "tie" if p == 0.5 else "first" if p > 0.5 else "second"


def test_what_is_no_verdict_is_counted_and_not_compared():
    lines = [
        (make_item(0, 0.92), "first"),
        (make_item(1, 0.08), "tie"),
        (make_item(2, "refused"), "first"),
        (make_item(3, "unparsed"), "second"),
        (make_item(4, 0.5), "tie"),
        (make_item(5, 0.9), ""),
    ]
    found = judge_against_people(table_of(*lines), draws=100)
    assert (found.n, found.verdicts) == (5, 3)
    assert found.confusion == {
        ("first", "first"): 1,
        ("second", "tie"): 1,
        ("refused", "first"): 1,
        ("unparsed", "second"): 1,
        ("tie", "tie"): 1,
    }
    # p_o = 2/3, p_e = 1/9 + 2/9 = 1/3.
    assert found.kappa is not None
    assert found.kappa.estimate == pytest.approx(0.5)
    # p of 0.92, 0.08 and 0.5 against targets of 1, ½ and ½.
    assert found.calibration is not None
    assert found.calibration.n == 3
    assert found.calibration.brier == pytest.approx((0.08**2 + 0.42**2) / 3)
    # Confident ones: 0.92 twice, right 1.5 times of 2; the tie is where it says.
    assert found.calibration.ece == pytest.approx(2 / 3 * abs(0.75 - 0.92))
    assert [(b.low, b.n) for b in found.calibration.bins] == [(0.5, 1), (0.9, 2)]


def test_slices_hold_decided_verdicts_by_principle_and_tag():
    lines = [
        (make_item(0, 0.9, tags=("a", "b")), "first"),
        (make_item(1, 0.9, tags=("a",)), "second"),
        (make_item(2, 0.1, tags=("a",), principle="p2"), "tie"),
        (make_item(3, 0.5, tags=("b",)), "first"),
        (make_item(4, "refused", tags=("b",)), "first"),
    ]
    found = judge_against_people(table_of(*lines), draws=100)
    assert [(s.name, s.n, s.accuracy.estimate) for s in found.tags] == [("a", 3, 0.5), ("b", 1, 1)]
    assert [(s.name, s.n) for s in found.principles] == [("p1", 2), ("p2", 1)]
    assert [right(0, 0), right(0, 1), right(1, 2)] == [1.0, 0.0, 0.5]


def test_nothing_to_compare():
    found = judge_against_people(table_of(), draws=100)
    assert (found.n, found.kappa, found.calibration, found.tags) == (0, None, None, ())
    lone = judge_against_people(table_of((make_item(0), "first")), draws=100)
    # A single group has no spread that could be seen.
    assert lone.kappa is None


# Rates over all held-out pairs


def population(count: int) -> list[Row]:
    """Pairs of every kind, two to a prompt."""
    ps: list[float | str] = [0.97, 0.8, 0.6, 0.5, 0.3, 0.03, "refused"]
    return [judged(i, ps[i % 7], ps[(3 * i + 1) % 7]) for i in range(count)]


def truth(item: Item) -> Choice:
    """What everybody thinks of a pair: mostly what the judge says, the surer the more."""
    u = unit_interval("truth", item.item_id)
    if u < 0.1:
        return "tie"
    p = 0.5 if item.pair.p is None else item.pair.p
    return "first" if unit_interval("side", item.item_id) < p else "second"


def estimates_of(store: RunStore, plan: SamplingPlan) -> Estimates:
    labels = Labels(store)
    return estimate(store, labels, plan, read_table(labels))


def test_the_label_accuracy_is_the_estimate_of_hajek(tmp_path: Path):
    with RunStore.open(write_run(tmp_path / "run", population(40)), durable=False) as store:
        plan, items = draw(store, 30)
        label_all(store, ["Ann"], lambda _, item: truth(item))
        found = estimates_of(store, plan).accuracy
        assert found is not None
        decided = [i for i in items if i.pair.verdict and i.pair.verdict.decided]
        hits = {i.item_id: right(judge_code(i.pair), NAMES.index(truth(i))) for i in decided}
        weights = {i.item_id: 1 / i.inclusion for i in decided}
        assert len(set(weights.values())) > 1
        by_hand = sum(weights[i] * hits[i] for i in hits) / sum(weights.values())
        assert found.classical == pytest.approx(by_hand)
        every = [i for i in draw(store)[1] if i.pair.verdict and i.pair.verdict.decided]
        rest = [i for i in every if i.item_id not in hits]
        wanted = ppi_mean(
            list(hits.values()),
            [sure(i) for i in decided],
            [sure(i) for i in rest],
            inclusion=[i.inclusion for i in decided],
            strata=[stratum_of(plan, i.pair, i.prompt) for i in (*decided, *rest)],
            clusters=[i.group_id for i in (*decided, *rest)],
        )
        assert (found.n_labelled, found.n_all) == (len(hits), len(every))
        for field in ("estimate", "low", "high", "classical", "power", "n_worth"):
            assert getattr(found, field) == pytest.approx(getattr(wanted, field)), field


def sure(item: Item) -> float:
    p = item.pair.p
    assert p is not None
    return max(p, 1 - p)


def test_estimates_are_right_on_average(tmp_path: Path):
    with RunStore.open(write_run(tmp_path / "run", population(35)), durable=False) as store:
        plan, items = draw(store)
        label_all(store, ["Ann"], lambda _, item: truth(item))
        # With a label for every pair, the estimate is the thing itself.
        wins = [{"first": 0.0, "second": 1.0, "tie": 0.5}[truth(i)] for i in items]
        hits = [
            right(judge_code(i.pair), NAMES.index(truth(i)))
            for i in items
            if judge_code(i.pair) in (0, 1)
        ]
        whole = estimates_of(store, plan)
        assert whole.accuracy is not None
        assert whole.win_rate is not None
        assert whole.accuracy.estimate == pytest.approx(np.mean(hits))
        # Pairs on which the judge said nothing are (original, revision) pairs like others.
        assert whole.win_rate.n_all == len(items) == 70
        assert whole.win_rate.estimate == pytest.approx(np.mean(wins))
        found: dict[str, list[float]] = {"a": [], "ca": [], "w": [], "cw": []}
        covered, powers = [], []
        for seed in range(150):
            few, _ = draw(store, 24, seed=seed)
            rates = estimates_of(store, few)
            assert rates.accuracy is not None
            assert rates.win_rate is not None
            found["a"].append(rates.accuracy.estimate)
            found["ca"].append(rates.accuracy.classical)
            found["w"].append(rates.win_rate.estimate)
            found["cw"].append(rates.win_rate.classical)
            powers.append((rates.accuracy.power, rates.win_rate.power))
            covered.append(rates.win_rate.low <= np.mean(wins) <= rates.win_rate.high)
        for key, goal in (("a", hits), ("ca", hits), ("w", wins), ("cw", wins)):
            error = np.std(found[key]) / math.sqrt(len(found[key]))
            assert np.mean(found[key]) == pytest.approx(np.mean(goal), abs=4 * error), key
        # The judge says something of both; turned round, it would be left aside (λ = 0).
        assert np.mean(powers, axis=0).min() > 0.3
        # The interval is for pairs like these, and so wider than this list alone needs.
        assert np.mean(covered) > 0.95


def test_the_win_rate_is_that_of_the_revision(tmp_path: Path):
    rows = [judged(i, 0.9) for i in range(12)]
    with RunStore.open(write_run(tmp_path / "run", rows), durable=False) as store:
        plan, items = draw(store)
        assert all(item.pair.second.startswith("Better") for item in items)
        ann = label_all(store, ["Ann"], lambda _, item: "second")[0]
        rates = estimates_of(store, plan)
        assert rates.win_rate is not None
        assert rates.accuracy is not None
        assert (rates.win_rate.estimate, rates.accuracy.estimate) == (1.0, 0.0)
        Labels(store).act(act(ann, item, "first") for item in items[:9])
        rates = estimates_of(store, plan)
        assert rates.win_rate is not None
        assert rates.win_rate.estimate == pytest.approx(0.25)
        Labels(store).act(act(ann, item, "both_bad") for item in items)
        rates = estimates_of(store, plan)
        assert rates.win_rate is not None
        assert rates.win_rate.estimate == pytest.approx(0.5)


def test_refusals_only_where_they_were_asked(tmp_path: Path):
    rows = [judged(i, 0.9) for i in range(10)]
    with RunStore.open(write_run(tmp_path / "run", rows), durable=False) as store:
        asking = ALL.model_copy(update={"ask_refusals": True})
        labels = Labels(store)
        for settings in (ALL, asking):
            plan, items = draw(store, settings=settings)
            ann = labels.add_annotator("Ann", "human")
            ben = labels.add_annotator("Ben", "human")
            labels.act(
                act(ann, item, "tie", first_refuses=i < 4, second_refuses=i < 1)
                for i, item in enumerate(items)
            )
            # Who did not say whether an answer refuses has not said that it does not.
            labels.act(act(ben, item, "tie") for item in items[:4])
            labels.act(
                act(ben, item, "skip", first_refuses=True, second_refuses=True) for item in items
            )
            found = estimates_of(store, plan).refusals
            if settings is ALL:
                assert found == {}
        assert {name: rate.estimate for name, rate in found.items()} == {
            "originals": pytest.approx(0.4),
            "revisions": pytest.approx(0.1),
        }


# The whole report


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people label 32 pairs; Cyd labels half of them."""
    rows = [judged(i, 0.9 if i % 2 else 0.1, tags=("odd",) * (i % 2)) for i in range(32)]
    folder = write_run(tmp_path_factory.mktemp("report") / "run", rows)

    def choose(place: int, item: Item) -> Choice | None:
        u = unit_interval(place, item.item_id)
        if place == 2 and unit_interval("half", item.item_id) < 0.5:
            return None
        return other(winner(item)) if u < 0.15 else winner(item)

    with RunStore.open(folder, durable=False) as store:
        draw(store)
        label_all(store, ["Ann", "Ben", "Cyd"], choose)
    return folder


def report_of(store: RunStore, settings: ValidationConfig = ALL) -> Report:
    return make_report(store, Labels(store), settings, draws=100)


def test_only_people_count(run: Path):
    with RunStore.open(run, durable=False) as store:
        before = report_of(store)
        assert before.labels == {"human": sum(report.labels for _, report in before.annotators)}
        for kind in ("model", "simulated"):
            label_all(store, [f"{kind} {i}" for i in range(4)], lambda _, i: "tie", kind=kind)
        robot = Labels(store).add_annotator("model 0", "model")
        Labels(store).act(
            act(robot, item, "tie", role)
            for role in ("adjudicate", "practice")
            for item in Labels(store).items()
        )
        after = report_of(store)
        assert after.labels == {**before.labels, "model": 128, "simulated": 128}
        assert canonical(after, labels=None) == canonical(before, labels=None)
        # Practice of people counts no more than that.
        ann = Labels(store).annotators()[0]
        Labels(store).act(act(ann, item, "tie", "practice") for item in Labels(store).items())
        assert canonical(report_of(store)) == canonical(after)


def canonical(report: Report, **changes: object) -> bytes:
    record = {**asdict(report), **changes}
    record["judge"]["confusion"] = sorted(record["judge"]["confusion"].items())
    return canonical_json(json.loads(json.dumps(record, default=float)))


def test_a_report_says_who_labelled_what(run: Path):
    with RunStore.read(run) as store:
        report = report_of(store)
    assert (report.items, report.labelled, report.plan.drawn) == (32, 32, 32)
    assert [a.name for a, _ in report.annotators] == ["Ann", "Ben", "Cyd"]
    assert [r.labels for _, r in report.annotators][:2] == [32, 32]
    assert report.agreement.annotators == 3
    assert report.agreement.pairable == 32
    assert sorted(report.by_tag) == ["odd"]
    assert sorted(report.by_principle) == ["p1"]
    assert report.by_principle["p1"].pairable == 32
    # Cyd has too few for the test, so it was not run, and does not say that it was passed.
    assert report.alternative.outcome == "not_run"
    assert sum(report.settled.values()) == 32


def test_near_duplicates_count_as_one_in_the_test_of_the_judge(tmp_path: Path):
    # 35 pairs of seven prompts: no more than seven independent looks at the judge.
    rows = [judged(i, 0.9, 0.91, 0.92, 0.93, 0.94) for i in range(7)]
    with RunStore.open(write_run(tmp_path / "run", rows), durable=False) as store:
        draw(store)
        label_all(store, ["Ann", "Ben", "Cyd"], lambda place, item: winner(item))
        found = report_of(store).alternative
    assert (found.outcome, found.advantage, len(found.annotators)) == ("failed", 1.0, 3)
    # All agree: the p-value is that of seven, and not that of 35, which would be enough.
    assert found.annotators[0].p_value == pytest.approx((1 - found.epsilon) ** 7)


def test_repeats_tell_of_steadiness_alone(tmp_path: Path):
    rows = [judged(i, 0.9) for i in range(20)]
    settings = ALL.model_copy(update={"repeats": 0.5, "annotators": 1})
    with RunStore.open(write_run(tmp_path / "run", rows), durable=False) as store:
        _, items = draw(store, settings=settings)
        assert sum(item.repeat for item in items) == 10
        label_all(store, ["Ann"], lambda _, item: "second" if item.repeat else "first")
        report = report_of(store)
    ((_, found),) = report.annotators
    assert found.labels == 30
    assert found.self_consistency is not None
    assert (found.self_consistency.estimate, found.self_consistency.n) == (0.0, 10)
    assert (report.items, report.labelled) == (20, 20)
    assert report.estimates.accuracy is not None
    assert report.estimates.accuracy.estimate == 1.0


def test_where_the_chosen_answer_was_shown(tmp_path: Path):
    rows = [judged(i, 0.9) for i in range(8)]
    with RunStore.open(write_run(tmp_path / "run", rows), durable=False) as store:
        _, items = draw(store)
        ann = Labels(store).add_annotator("Ann", "human")
        Labels(store).act(
            act(ann, item, "first" if i % 2 else "second", swapped=not i % 2, seconds=10.0 - i)
            for i, item in enumerate(items)
        )
        ((_, found),) = report_of(store).annotators
    # Every time the first slot, whichever answer that was, and ever faster.
    assert found.first_slot is not None
    assert (found.first_slot.estimate, found.slot_biased) == (1.0, True)
    assert found.pace == pytest.approx(-1.0)
    assert found.median_seconds == 6.5


def test_no_label_at_all(tmp_path: Path):
    with RunStore.open(write_run(tmp_path / "run", population(8)), durable=False) as store:
        with pytest.raises(UsageError, match="no sampling plan"):
            report_of(store)
        draw(store)
        for method in ("majority", "dawid-skene", "adjudicated"):
            report = report_of(store, ALL.model_copy(update={"gold": method}))
            assert (report.labels, report.labelled, report.annotators) == ({}, 0, ())
            assert report.alternative.outcome == "not_run"
            assert report.agreement.alpha is report.judge.kappa is report.estimates.accuracy is None


def test_a_sample_of_what_the_run_was_is_refused(tmp_path: Path):
    rows = [judged(i, 0.9) for i in range(10)]
    with RunStore.open(write_run(tmp_path / "run", rows), durable=False) as store:
        draw(store)
        label_all(store, ["Ann"], lambda _, item: "first")
        assert report_of(store).labelled == 10
        # The same texts, and a judge who now says the opposite: what was said of the old labels
        # must not vouch for the new ones.
        _rejudge(store, [judged(i, 0.1) for i in range(10)])
        with pytest.raises(UsageError, match=r"10 of 10 pairs .*otherwise.*cai validate plan"):
            report_of(store)
        draw(store)
        report = report_of(store)
        assert report.labelled == 10
        assert report.estimates.accuracy is not None
        assert report.estimates.accuracy.estimate == 0.0


def _rejudge(store: RunStore, rows: list[Row]) -> None:
    async def work() -> None:
        for row in rows:
            await store.put_row(replace(row, plan="plan-2"))

    asyncio.run(work())
    store.set_meta(plan="plan-2")
