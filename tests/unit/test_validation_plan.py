"""The sampling plan: what is drawn with which probability, how much of it, in which order."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from scipy.stats import binom, chi2
from typer.testing import CliRunner

from cai.cli.validate.plan import plan as plan_command
from cai.config import ValidationConfig
from cai.errors import CaiError, ConfigError, StoreError, UsageError
from cai.hashing import canonical_json, unit_interval
from cai.records import Pair, PrincipleVerdict, Row, Split, Verdict, load
from cai.store import RunStore
from cai.validation import Action, Annotation, Item, Labels, SamplingPlan
from cai.validation.sampling import (
    Power,
    design_effect,
    expected_half_width,
    labels_for_power,
    labels_for_width,
    make_plan,
)
from cai.validation.sampling.allocation import Allocation, Layer, turns
from cai.validation.sampling.frame import Candidate
from cai.validation.sampling.order import arrange
from cai.validation.sampling.strata import cell_of, merged, named, stratum_of
from cai.validation.statistics.intervals import wilson
from tests.unit.store_helpers import PLAN, ask, fill, full_row, order, silent, verdict

DEFAULT = ValidationConfig()
SPLITS: tuple[Split, ...] = ("train", "dev", "held_out", "quarantine")


def judged(i: int) -> Row:
    """Two pairs; what the judge says of them depends on i alone and covers every case."""

    def say(kind: str) -> Verdict:
        ab, ba = 0.3 + 0.68 * unit_interval(i, kind), 0.02 + 0.5 * unit_interval(i, kind, "ba")
        p = 0.5 * (ab + 1 - ba)
        if unit_interval(i, kind, "silent") < 0.1:
            return silent("refused")
        outcome = "tie" if abs(p - 0.5) <= 0.05 else "first" if p > 0.5 else "second"
        return verdict(ab, ba, outcome, principle=f"p{i % 3}")

    row = full_row(ask(f"Question {i}?", "abc"[i % 3]))
    pairs = [replace(pair, verdict=say(pair.kind)) for pair in row.pairs]
    return replace(row, pairs=tuple(pairs))


def write(folder: Path, held_out: int, others: int = 1, **facts: object) -> Path:
    rows: list[tuple[Row, Split]] = [(judged(i), "held_out") for i in range(held_out)]
    rest = [s for s in SPLITS if s != "held_out"]
    rows += [(judged(held_out + i), rest[i % 3]) for i in range(others)]
    return fill(folder, rows, **facts)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("small"), 24, 9)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("large"), 250)


def drawn(
    run: Path, settings: ValidationConfig = DEFAULT, **more: object
) -> tuple[SamplingPlan, list[Item]]:
    with RunStore.read(run) as store:
        return make_plan(store, settings, **more)  # type: ignore[arg-type]


def firsts(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if not item.repeat]


# Sizes


@pytest.mark.parametrize("half_width", [0.03, 0.07, 0.2])
@pytest.mark.parametrize("expected", [0.0, 0.5, 0.75, 1.0])
def test_the_width_is_reached_with_the_fewest_labels(half_width: float, expected: float):
    def half(n: int) -> float:
        found = wilson(expected * n, n)
        return (found.high - found.low) / 2

    n = labels_for_width(half_width, expected)
    assert half(n) <= half_width < half(n - 1)
    assert labels_for_width(half_width, expected, design_effect=1.5) == math.ceil(1.5 * n)


@pytest.mark.parametrize(
    ("null", "alternative", "power"),
    [(0.6, 0.75, 0.8), (0.5, 0.51, 0.8), (0.7, 0.75, 0.95), (0.9, 1.0, 0.8), (0.05, 0.99, 0.8)],
)
def test_the_power_is_reached_and_stays(null: float, alternative: float, power: float):
    def exact(n: int) -> float:
        return float(binom.sf(binom.ppf(0.975, n, null), n, alternative))

    n = labels_for_power(null, alternative, power=power)
    assert exact(n - 1) < power
    assert all(exact(n + more) >= power for more in range(300))
    assert labels_for_power(null, alternative, power=power, design_effect=2.0) == 2 * n


def test_goals_that_make_no_sense():
    for half_width, expected in ((0.0, 0.5), (0.5, 0.5), (0.1, 1.1), (1e-5, 0.5)):
        with pytest.raises(ValueError, match="half"):
            labels_for_width(half_width, expected)
    for null, alternative, power in ((0.7, 0.7, 0.8), (0.0, 0.5, 0.8), (0.5, 0.6, 1.0)):
        with pytest.raises(ValueError, match="got null"):
            labels_for_power(null, alternative, power=power)
    with pytest.raises(ValueError, match="more than 10,000,000"):
        labels_for_power(0.5, 0.5001)
    with pytest.raises(ValueError, match="above 0"):
        labels_for_width(0.1, 0.5, design_effect=0.0)
    with pytest.raises(ValueError, match="above 0"):
        design_effect([1.0, 0.0], [1])


def test_the_design_effect_is_that_of_a_simulation():
    assert design_effect([3.0] * 7, [1] * 7) == pytest.approx(1.0)
    rng, rho = np.random.default_rng(0), 0.3
    weights = np.repeat([1.0, 2.0, 3.0], 20)
    sizes = [2] * 30
    between = rng.normal(size=(20_000, 30)).repeat(2, axis=1) * math.sqrt(rho)
    values = between + rng.normal(size=(20_000, 60)) * math.sqrt(1 - rho)
    means = values @ weights / weights.sum()
    found = design_effect(list(weights), sizes, intraclass=rho)
    assert means.var() * 60 == pytest.approx(found, rel=0.05)


# Strata


def judge(p: float, *outcomes: str) -> Verdict:
    principles = tuple(
        PrincipleVerdict((f"p{i}",), outcome, (order("ab", p),), p)  # type: ignore[arg-type]
        for i, outcome in enumerate(outcomes)
    )
    decided = "tie" if abs(p - 0.5) <= 0.05 else "first" if p > 0.5 else "second"
    return Verdict(decided, principles, p)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, ["no verdict", "judge agrees", "no principle"]),
        (silent("refused"), ["no verdict", "judge agrees", "p1"]),
        (judge(0.52, "tie"), ["tie", "judge agrees", "p0"]),
        (judge(0.4, "tie", "second"), ["p below 0.7", "judge agrees", "p1"]),
        (judge(0.1, "second"), ["p 0.9 or more", "judge agrees", "p0"]),
        (judge(0.7, "first", "second"), ["p 0.7 to 0.9", "judge disagrees with itself", "p0"]),
        (verdict(0.9, 0.6, "first"), ["p below 0.7", "judge disagrees with itself", "p1"]),
        (verdict(0.9, 0.2, "first"), ["p 0.7 to 0.9", "judge agrees", "p1"]),
    ],
)
def test_where_a_pair_belongs(given: Verdict | None, names: list[str]):
    pair = Pair("x", "samples", "a", "b", "", "", given)
    cell = cell_of(pair, ask("Q"), ("confidence", "disagreement", "principle", "tag"))
    assert [name for _, name in cell] == [*names, "no tag"]
    whole = judge(0.8, "first")
    whole = replace(whole, principles=(replace(whole.principles[0], principle_ids=("a", "b")),))
    shown = replace(pair, verdict=whole)
    assert cell_of(shown, ask("Q", "t", "u"), ("tag", "principle")) == (
        (1, "t"),
        (0, "whole constitution"),
    )


def test_small_strata_join_their_neighbours():
    def cell(*names: str) -> tuple[tuple[int, str], ...]:
        return tuple((0, name) for name in names)

    sizes = {
        cell("a", "x"): 9,
        cell("a", "y"): 1,
        cell("b", "x"): 2,
        cell("b", "y"): 1,
        cell("b", "z"): 1,
        cell("c", "x"): 3,
        cell("d", "x"): 5,
    }
    runs = merged(sizes, least=4, most=99)
    assert named(runs) == ["a, x or y", "b, x or y or z", "c or d, x"]
    assert named(merged(sizes, least=4, most=2)) == ["a, x or y", "b or c or d, x or y or z"]
    assert named(merged(sizes, least=4, most=1)) == ["a … d, x or y or z"]
    assert named(merged({(): 7}, least=4, most=0)) == ["all pairs"]


def test_names_are_unique_and_many_tags_take_no_time():
    tags = {((1, "t" * 80 + str(i)),): 4 for i in range(3)}
    assert len(set(named(merged(tags, least=4, most=9)))) == 3
    many = {((1, f"tag {i}"),): 1 for i in range(20_000)}
    runs = merged(many, least=4, most=30)
    assert 15 <= len(runs) <= 30
    assert sum(len(run) for run in runs) == 20_000


# Allocation


def test_the_allocation_is_the_best_in_whole_numbers():
    pairs, spread, n = [7, 12, 30], [0.5, 0.3, 0.4], 14
    counts = Counter([0, 0, 1, 1, 2, 2])
    for i, _ in zip(turns(pairs, spread, [2, 2, 2]), range(n - 6), strict=False):
        counts[i] += 1

    def variance(sizes: Sequence[int]) -> float:
        return sum((p * s) ** 2 / k for p, s, k in zip(pairs, spread, sizes, strict=True))

    every = [(a, b, n - a - b) for a in range(2, 8) for b in range(2, 13) if 2 <= n - a - b <= 30]
    assert variance([counts[i] for i in range(3)]) == pytest.approx(min(map(variance, every)))


def layer(name: str, sure: float | None, count: int) -> Layer:
    names = [f"{name}{i}" for i in range(count)]
    return Layer(name, tuple(Candidate(n, n, sure, sure is not None) for n in names))


def test_doubtful_pairs_are_drawn_more_often_but_never_much_more():
    layers = [layer("a", 0.5, 3000), layer("b", 1.0, 3000), layer("c", None, 3000)]
    doubtful, certain, silent_ = Allocation(layers).drawn(900)
    assert doubtful / certain == pytest.approx(5 / 3, rel=0.02)
    assert silent_ == pytest.approx(certain, abs=1)


def test_what_a_sample_is_worth():
    layers = [layer("a", 0.5, 100), layer("b", 0.99, 300)]
    allocation = Allocation(layers)
    for n in (4, 40, 400):
        a, b = allocation.drawn(n)
        weights = [100 / a] * a + [300 / b] * b
        assert allocation.worth(n) == pytest.approx(n / design_effect(weights, [1] * n))
    # Pairs without a verdict are worth nothing, and all of them never suffice for more.
    halved = Allocation([*layers, layer("c", None, 400)])
    assert halved.worth(800) == pytest.approx(400)
    assert halved.size_for(401.0) == 800
    n = allocation.size_for(150.0)
    assert allocation.worth(n) >= 150.0 > allocation.worth(n - 1)
    assert allocation.drawn(allocation.least) == [2, 2]
    assert list(turns([2, 1], [0.5, 0.5], [2, 1])) == []


# The draw


def test_only_held_out_pairs_of_two_texts_are_drawn_and_each_once(tmp_path: Path):
    rows: list[tuple[Row, Split]] = []
    for i, split in enumerate(SPLITS * 3):
        row = judged(i)
        same = replace(row.pairs[0], second=row.pairs[0].first)
        noted = replace(row.pairs[1], second="Other!", verdict=None, note="identical")
        rows.append((replace(row, pairs=(*row.pairs, row.pairs[0].swap(), same, noted)), split))
    run, said = fill(tmp_path / "run", rows), list[str]()
    plan, items = drawn(run, labels=99, say=said.append)
    held_out = [pair.id for row, split in rows for pair in row.pairs[:2] if split == "held_out"]
    assert sorted(item.item_id for item in firsts(items)) == sorted(held_out)
    assert plan.drawn == plan.pairs == 6
    assert plan.groups == 3
    assert plan.run_plan == PLAN
    assert [text.split()[0] for text in said] == ["6", "3", "99"]
    assert "6 pairs are all there are" in plan.goal
    assert all(item.inclusion == 1.0 for item in items)


def test_the_inclusion_probabilities_are_those_of_the_plan(small: Path):
    seeds = 300
    settings = ValidationConfig(stratify=("confidence",), repeats=0.0)
    hits, members = Counter[str](), defaultdict[str, set[str]](set)
    totals, truth = [], 0.0
    with RunStore.read(small) as store:
        _, everything = make_plan(store, settings, labels=48)
        value = {item.item_id: 1 + unit_interval(item.item_id) for item in everything}
        truth = sum(value.values())
        for seed in range(seeds):
            plan, items = make_plan(store, settings, labels=20, seed=seed)
            assert plan.drawn == len(items) == 20
            hits.update(item.item_id for item in items)
            for item in items:
                members[item.stratum].add(item.item_id)
            totals.append(sum(value[item.item_id] / item.inclusion for item in items))
    assert len(plan.strata) >= 3
    for stratum in plan.strata:
        assert 2 <= stratum.drawn <= stratum.pairs
        expected = seeds * stratum.inclusion
        counts = [hits[name] for name in members[stratum.name]]
        assert len(counts) == stratum.pairs
        if stratum.drawn < stratum.pairs:
            squares = sum((count - expected) ** 2 for count in counts) / expected
            # Without replacement, counts vary less and sum to a constant.
            statistic = squares / (1 - stratum.inclusion) * (stratum.pairs - 1) / stratum.pairs
            assert chi2.sf(statistic, stratum.pairs - 1) > 0.001
    error = np.std(totals, ddof=1) / math.sqrt(seeds)
    assert abs(np.mean(totals) - truth) < 3 * error


def test_every_stratum_has_two_and_items_say_their_stratum(large: Path):
    for keys in (("tag", "principle", "confidence", "disagreement"), ("confidence",), ()):
        plan, items = drawn(large, ValidationConfig(stratify=keys), labels=60)
        rates = {stratum.name: stratum.inclusion for stratum in plan.strata}
        counts = Counter(item.stratum for item in firsts(items))
        assert {s.name: s.drawn for s in plan.strata} == counts
        assert all(s.drawn >= 2 and s.pairs >= 4 for s in plan.strata)
        assert len(plan.strata) <= 15
        assert all(item.inclusion == rates[item.stratum] for item in items)
        assert (plan.pairs, plan.drawn) == (500, 60)
        stored = load(SamplingPlan, canonical_json(plan))
        assert stored == plan
        assert all(stratum_of(stored, i.pair, i.prompt) == i.stratum for i in items)
        _, every = drawn(large, ValidationConfig(stratify=keys), labels=500)
        found = Counter(stratum_of(stored, i.pair, i.prompt) for i in firsts(every))
        assert found == {s.name: s.pairs for s in plan.strata}


def test_a_larger_plan_keeps_the_pairs_of_a_smaller_one(large: Path):
    before: set[str] = set()
    for labels in (60, 61, 90, 200, 500):
        _, items = drawn(large, labels=labels)
        now = {item.item_id for item in firsts(items)}
        assert before <= now
        before = now
    few = {item.item_id for item in firsts(drawn(large, labels=12)[1])}
    many = {item.item_id for item in firsts(drawn(large, labels=60)[1])}
    assert len(few & many) >= 10
    other = {item.item_id for item in firsts(drawn(large, labels=60, seed=1)[1])}
    assert len(other & many) < 30


def test_the_size_follows_from_the_goal(large: Path, small: Path):
    plan, items = drawn(large)
    half = expected_half_width(items, 0.75)
    assert half is not None
    assert half == pytest.approx(0.07, abs=0.004)
    assert expected_half_width([], 0.75) is None
    assert "145 independent labels" in plan.goal
    assert f"or {plan.drawn} of these" in plan.goal
    assert drawn(large)[0].id == plan.id != drawn(large, seed=1)[0].id
    assert drawn(large)[1] == items
    tested, _ = drawn(large, power=Power(0.6))
    assert 86 < tested.drawn < 130
    assert "above 60 % with a probability of 0.8" in tested.goal
    said: list[str] = []
    capped, _ = drawn(small, say=said.append)
    assert capped.drawn == capped.pairs == 48
    assert "All 48 pairs are worth" in capped.goal
    assert "more held-out prompts" in said[0]


# Order


def numbered(count: int) -> list[Item]:
    pair = Pair("x", "samples", "a", "b", "", "", judge(0.8, "first"))
    return [Item(f"{i:04}", ask("Q"), pair, f"g{i}") for i in range(count)]


@pytest.mark.parametrize("count", [45, 60, 200])
@pytest.mark.parametrize("annotators", [1, 3])
def test_repeats_come_at_least_twenty_places_later(count: int, annotators: int):
    settings = ValidationConfig(repeats=0.1, overlap=0.5, annotators=annotators)
    items = arrange(numbered(count), settings, 0)
    places = {item.item_id: place for place, item in enumerate(items)}
    again = [item for item in items if item.repeat]
    assert len(again) == round(0.1 * count)
    for item in again:
        original = items[places[item.item_id.removesuffix("-again")]]
        assert replace(item, item_id=original.item_id, repeat=False) == original
        # As an annotator sees them who gets all shared items and every third of the others.
        between = items[places[original.item_id] : places[item.item_id]]
        seen = sum(1.0 if i.shared else 1 / annotators for i in between)
        assert len(between) >= 20
        assert seen >= 15


def test_without_room_repeats_come_last():
    settings = ValidationConfig(repeats=1.0, annotators=1)
    items = arrange(numbered(5), settings, 0)
    assert [item.repeat for item in items] == [False] * 5 + [True] * 5
    assert arrange([], settings, 0) == []


@pytest.mark.parametrize(
    ("count", "overlap", "annotators", "shared"),
    [(200, 0.5, 3, 100), (200, 0.1, 3, 30), (20, 0.1, 3, 20), (200, 0.0, 3, 0), (200, 0.1, 1, 20)],
)
def test_the_overlap(count: int, overlap: float, annotators: int, shared: int):
    settings = ValidationConfig(overlap=overlap, annotators=annotators, repeats=0.0)
    items = arrange(numbered(count), settings, 0)
    assert sum(item.shared for item in items) == shared
    assert [item.item_id for item in items] != sorted(item.item_id for item in items)
    assert len({item.item_id for item in items}) == count


# What cannot be drawn from


def test_runs_without_anything_to_label(tmp_path: Path):
    none = fill(tmp_path / "none", [(judged(0), "train")], config={"split": {"held_out": 0.0}})
    with pytest.raises(UsageError, match=r"among 1 finished rows .* split.held_out \(now 0.0\)"):
        drawn(none)
    waits = ask("Later?")
    later = fill(tmp_path / "later", [(Row(waits, "plan-0"), "held_out")])
    with pytest.raises(UsageError, match="1 held-out prompts wait"):
        drawn(later)
    empty = fill(tmp_path / "empty", [(replace(judged(0), pairs=()), "held_out")])
    with pytest.raises(UsageError, match="no pair of two different texts in 1 held-out rows"):
        drawn(empty)
    pairs = tuple(replace(pair, verdict=silent("refused")) for pair in judged(0).pairs)
    mute = fill(tmp_path / "mute", [(replace(judged(0), pairs=pairs), "held_out")])
    with pytest.raises(UsageError, match="no winner on any of 2 held-out pairs"):
        drawn(mute)


def test_goals_that_cannot_be_reached(small: Path):
    with pytest.raises(UsageError, match="Name one of the two"):
        drawn(small, labels=5, power=Power(0.5))
    for labels in (1, 0, -3):
        with pytest.raises(UsageError, match="2 or more"):
            drawn(small, labels=labels)
    with pytest.raises(UsageError, match="must lie below"):
        drawn(small, power=Power(0.75))
    with pytest.raises(UsageError, match="No number of labels"):
        drawn(small, ValidationConfig(half_width=1e-5))
    assert drawn(small, labels=2)[0].drawn == 2


def test_closed_rows(tmp_path: Path):
    run = write(tmp_path / "run", 3)
    with RunStore.open(run, durable=False) as store:
        first = next(iter(store.groups("held_out").values()))
        Labels(store).retire([first], "promoted")
        plan, items = make_plan(store, DEFAULT)
        assert plan.pairs == 4
        assert first not in {item.group_id for item in items}
        store.set_meta(shard="1/2")
        with pytest.raises(StoreError, match="shard"):
            make_plan(store, DEFAULT)


# The command

app = typer.Typer()
app.command("plan")(plan_command)


@app.callback()
def _group() -> None:
    """With a callback, typer keeps the name of the only command."""


def cai(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["plan", *(str(a) for a in arguments)])
    if isinstance(result.exception, CaiError):
        raise result.exception
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_the_command(tmp_path: Path):
    stored = {"validation": {"annotators": 2, "overlap": 1.0, "stratify": ["tag"]}}
    run = write(tmp_path / "run", 30, config=stored)
    output = cai(run, "--labels", 20, "--dry-run", "--ask-refusals")
    assert "Nothing was stored" in output
    with RunStore.read(run) as store:
        assert Labels(store).plan() is None
    output = cai(run, "--labels", 20, "--ask-refusals", "--repeats", 0.1)
    assert f"cai review {run}" in output
    rows = [line.split() for line in output.splitlines()]
    assert ["all", "60", "20"] in rows
    assert "Labels of one annotator  22, about 15 min" in output
    assert "Label accuracy" in output
    with RunStore.open(run, durable=False) as store:
        labels = Labels(store)
        plan = labels.needed_plan()
        assert (plan.annotators, plan.overlap, plan.drawn, plan.ask_refusals) == (2, 1.0, 20, True)
        assert [s.name for s in plan.strata] == ["a", "b", "c"]
        items = labels.items()
        assert len(items) == 22
        ann = labels.add_annotator("ann", "human")
        said = [
            Action(str(i), ann.id, item.item_id, "label", Annotation("tie"), float(i))
            for i, item in enumerate(items)
        ]
        labels.act(said)
    assert "not in this plan" not in cai(run, "--labels", 30, "--repeats", 1, "--dry-run")
    output = cai(run, "--labels", 10, "--repeats", 0)
    assert "12 labels on 12 items are not in this plan" in output
    output = cai(run, "--null", 0.5, "--expected", 0.9, "--power", 0.9, "--stratify", "none")
    assert "all pairs" in output


def test_the_command_explains_what_it_refuses(tmp_path: Path):
    run = write(tmp_path / "run", 2)
    with pytest.raises(UsageError, match="--labels and --width"):
        cai(run, "--labels", 3, "--width", 0.1)
    with pytest.raises(UsageError, match="--power without --null"):
        cai(run, "--power", 0.9)
    with pytest.raises(ConfigError, match="should be 'confidence'"):
        cai(run, "--stratify", "confidence,tags")
    with pytest.raises(StoreError, match="No run in"):
        cai(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
