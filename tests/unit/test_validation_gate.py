"""The gate: what lets AI labels through, what voids that, and who is told of it."""

import asyncio
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cai.config import GateConfig
from cai.errors import GateError
from cai.hashing import unit_interval
from cai.records import Row
from cai.store import RunStore
from cai.store.export import export
from cai.store.gate import GateVerdict, gate_facts, read_gate
from cai.train.data import load_data
from cai.train.examples import Preference, PromptExample
from cai.train.load import load_training
from cai.validation import Item, Labels
from cai.validation.gate import ask_gate, check
from cai.validation.records import Choice
from cai.validation.report import make_report
from cai.validation.sampling import make_plan
from cai.validation.statistics.intervals import Interval
from tests.unit.cli_helpers import Cai, shell
from tests.unit.store_helpers import FixedSplits
from tests.unit.validation_helpers import (
    ALL,
    act,
    draw,
    judged,
    label_all,
    other,
    winner,
    write_run,
)

PEOPLE = ("Ann", "Ben", "Cyd")
STALE = "labels, plan, run or toolkit have changed since the verdict"


@pytest.fixture
def cai(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cai:
    return shell(monkeypatch, capsys)


def rows(count: int = 64) -> list[Row]:
    return [judged(i, 0.9 if i % 2 else 0.1) for i in range(count)]


def agreeing(wrong: float, slips: float) -> Callable[[int, Item], Choice]:
    """People who see it as the judge does but in a share of pairs, and who slip now and then."""

    def choose(place: int, item: Item) -> Choice:
        said = winner(item)
        if unit_interval("wrong", item.item_id) < wrong:
            said = other(said)
        return other(said) if unit_interval("slip", place, item.item_id) < slips else said

    return choose


def make_labelled(
    folder: Path,
    people: tuple[str, ...] = PEOPLE,
    kind: str = "human",
    wrong: float = 0.04,
    slips: float = 0.04,
) -> Path:
    write_run(folder, rows())
    with RunStore.open(folder, durable=False) as store:
        draw(store)
        label_all(store, people, agreeing(wrong, slips), kind=kind)
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 pairs labelled by three people, who mostly agree with the judge and with each other."""
    return make_labelled(tmp_path_factory.mktemp("gate") / "run")


@pytest.fixture(scope="module")
def asked(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, and the gate has been passed."""
    folder = Path(shutil.copytree(labelled, tmp_path_factory.mktemp("asked") / "run"))
    with RunStore.open(folder, durable=False) as store:
        assert ask_gate(store, make_report(store, Labels(store), ALL, draws=100), ALL.gate).passed
    return folder


@pytest.fixture
def run(labelled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(labelled, tmp_path / "run"))


@pytest.fixture
def passed(asked: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(asked, tmp_path / "run"))


def found_by(output: str) -> dict[str, tuple[str, str]]:
    """From the table of the gate: name to (yes or NO, what was found)."""
    lines = output.partition("\nGate\n")[2].splitlines()
    cells = [re.split(r"  +", line.strip()) for line in lines]
    return {c[1]: (c[0], c[-1]) for c in cells if len(c) == 4 and c[0] in ("yes", "NO")}


def ask(cai: Cai, run: Path, *settings: str) -> tuple[int, dict[str, tuple[str, str]]]:
    options = [part for setting in settings for part in ("--set", setting)]
    ended = cai("validate", run, "--gate", "--draws", 100, *options)
    return ended.code, found_by(ended.out)


def holds(run: Path) -> tuple[bool, bool]:
    """Whether the stored verdict lets the labels through, and whether it still holds."""
    with RunStore.read(run) as store:
        found = read_gate(store)
    assert found is not None
    return found[0].passed, found[1]


# What it takes


def test_good_labels_pass(cai: Cai, run: Path):
    with RunStore.read(run) as store:
        assert read_gate(store) is None
    ended = cai("validate", run, "--gate", "--draws", 100, "--set", "gate.min_accuracy=0.8")
    assert ended.code == 0, ended.out
    checks = found_by(ended.out)
    assert list(checks) == [
        "labels",
        "people",
        "judge and people",
        "accuracy",
        "judge as annotator",
    ]
    assert {mark for mark, _ in checks.values()} == {"yes"}
    assert checks["labels"][1] == "64 pairs"
    assert checks["judge as annotator"][1].startswith("passed: The judge stands in for 3 of 3")
    assert f"Passed with 64 pairs: cai train may use the labels of {run}." in ended.out
    with RunStore.read(run) as store:
        found = read_gate(store)
        assert found is not None
        verdict, still = found
        assert (verdict.passed, verdict.labels, still) == (True, 64, True)
        assert {c.name: c.found for c in verdict.checks} == {
            name: text for name, (_, text) in checks.items()
        }


@pytest.mark.parametrize(
    ("setting", "name", "said"),
    [
        ("gate.min_labels=65", "labels", r"64 pairs"),
        ("gate.min_alpha=0.99", "people", r"0\.\d\d \[0\.\d\d, [01]\.\d\d\]"),
        ("gate.min_kappa=0.97", "judge and people", r"0\.\d\d \[0\.\d\d, [01]\.\d\d\]"),
        ("gate.min_accuracy=0.99", "accuracy", r"\d\d\.\d% \[\d\d\.\d%, \d+\.\d%\]"),
    ],
)
def test_each_threshold_can_fail_alone(cai: Cai, run: Path, setting: str, name: str, said: str):
    code, checks = ask(cai, run, setting)
    assert code == 1
    assert [key for key, (mark, _) in checks.items() if mark == "NO"] == [name]
    assert re.fullmatch(said, checks[name][1])
    assert holds(run) == (False, True)
    # A later question takes the place of the earlier verdict.
    assert ask(cai, run)[0] == 0
    assert holds(run) == (True, True)


def test_a_judge_that_fits_people_worse_than_they_each_other(cai: Cai, tmp_path: Path):
    run = make_labelled(tmp_path / "run", wrong=0.35, slips=0.02)
    code, checks = ask(cai, run, "gate.min_kappa=null")
    assert code == 1
    assert [key for key, (mark, _) in checks.items() if mark == "NO"] == ["judge as annotator"]
    assert checks["judge as annotator"][1].startswith("failed: The judge stands in for 0 of 3")
    # What is not asked does not stand in the way.
    assert ask(cai, run, "gate.min_kappa=null", "gate.alternative_annotator=false")[0] == 0
    # What is asked in the config of the run need not be said again.
    with RunStore.open(run, durable=False) as store:
        gate = {"min_kappa": None, "alternative_annotator": False}
        store.set_meta(config={"validation": {"gate": gate}})
    assert ask(cai, run)[0] == 0


def test_people_who_do_not_agree(cai: Cai, tmp_path: Path):
    run = make_labelled(tmp_path / "run", wrong=0.0, slips=0.4)
    _, checks = ask(cai, run, "gate.min_kappa=-1")
    assert checks["people"][0] == "NO"
    assert checks["labels"][0] == checks["judge and people"][0] == "yes"


@pytest.mark.parametrize("people", [("Ann", "Ben"), ("Ann",)])
def test_the_test_of_the_judge_needs_three_people(
    cai: Cai, people: tuple[str, ...], tmp_path: Path
):
    run = make_labelled(tmp_path / "run", people, slips=0.0)
    code, checks = ask(cai, run)
    assert code == 1
    mark, said = checks["judge as annotator"]
    assert mark == "NO"
    assert said.startswith("not run: ")
    assert said.endswith("the test needs 3.")
    if len(people) == 1:
        assert checks["people"] == ("NO", checks["people"][1])
        assert checks["people"][1].startswith("not run: it needs two people")
    assert ask(cai, run, "gate.alternative_annotator=false")[0] == int(len(people) == 1)


@pytest.mark.parametrize("kind", ["simulated", "model"])
def test_only_people_pass_the_gate(cai: Cai, kind: str, tmp_path: Path):
    run = make_labelled(tmp_path / "run", kind=kind)
    ended = cai("validate", run, "--gate", "--draws", 100)
    assert ended.code == 1
    checks = found_by(ended.out)
    assert {mark for mark, _ in checks.values()} == {"NO"}
    counted = "0 pairs; 192 labels by models or simulated annotators do not count"
    assert checks["labels"][1] == counted
    assert "192 labels by models or simulated annotators count for nothing below." in ended.out
    assert "cai train refuses the labels" in ended.out
    assert holds(run) == (False, True)
    # They do not even fill up what a person has left.
    with RunStore.open(run, durable=False) as store:
        label_all(store, ["Dan"], agreeing(0.0, 0.0))
    assert found_by(cai("validate", run, "--gate", "--draws", 100).out)["people"][0] == "NO"


def test_nothing_that_was_not_computed_passes(tmp_path: Path):
    with RunStore.open(write_run(tmp_path / "run", rows(4)), durable=False) as store:
        draw(store)
        report = make_report(store, Labels(store), ALL, draws=100)
    checks = list(
        check(report, GateConfig(min_labels=1, min_alpha=-1, min_kappa=-1, min_accuracy=0))
    )
    assert len(checks) == 5
    assert not any(c.passed for c in checks)
    assert [c.found.startswith("not run: ") for c in checks] == [False, True, True, True, True]


def test_what_is_held_against_a_threshold(asked: Path):
    with RunStore.read(asked) as store:
        report = make_report(store, Labels(store), ALL, draws=100)
    accuracy = report.estimates.accuracy
    assert accuracy is not None

    def passes(name: str, interval: Interval) -> bool:
        low = replace(accuracy, estimate=interval.estimate, low=interval.low, high=interval.high)
        changed = replace(
            report,
            agreement=replace(report.agreement, alpha=interval),
            judge=replace(report.judge, kappa=interval),
            estimates=replace(report.estimates, accuracy=low),
        )
        wanted = GateConfig(min_alpha=0.6, min_kappa=0.6, min_accuracy=0.6)
        (found,) = [c for c in check(changed, wanted) if c.name == name]
        return found.passed

    # Of people the estimate, since they are few; of the judge the lower bound.
    assert passes("people", Interval(0.6, 0.1, 0.9))
    assert not passes("people", Interval(0.59, 0.58, 0.9))
    for name in ("judge and people", "accuracy"):
        assert passes(name, Interval(0.9, 0.6, 1.0))
        assert not passes(name, Interval(0.9, 0.59, 1.0))
    # Where too many draws were undefined, the interval may be too narrow.
    for name in ("people", "judge and people"):
        assert not passes(name, Interval(0.9, 0.8, 1.0, left_out=0.2))


# The command


def test_without_the_gate_nothing_is_stored(cai: Cai, run: Path):
    before = (run / "run.db").read_bytes()
    ended = cai("validate", run, "--draws", 100)
    assert ended.code == 0
    assert "Judge against people" in ended.out
    assert "Gate" not in ended.out
    assert cai("validate", "report", run, "--draws", 100).out == ended.out
    assert (run / "run.db").read_bytes() == before


def test_what_is_wrong_with_a_command_is_said(cai: Cai, run: Path, tmp_path: Path):
    for setting, said in (
        ("gate.min_alfa=0.5", "unknown key 'gate.min_alfa'.* Did you mean 'min_alpha'"),
        ("gaet.min_alpha=0.5", "unknown key 'gaet'.* Did you mean 'gate'"),
        ("gate.min_alpha=high", "min_alpha"),
        ("gate.min_alpha=7", "min_alpha"),
        ("half_width.x=1", "'half_width' is a value|unknown key|half_width"),
        ("gold.x=1", "gold"),
        ("gate", "KEY=VALUE"),
    ):
        ended = cai("validate", run, "--gate", "--set", setting)
        assert ended.code == 2, setting
        assert re.search(said, ended.err), (setting, ended.err)
        assert "bug" not in ended.err
    with RunStore.open(run, durable=False) as store:
        store.set_meta(config={"validation": {"half_width": 0.07}})
        assert read_gate(store) is None
    ended = cai("validate", run, "--set", "half_width.x=1")
    assert ended.code == 2
    assert "half_width.x: 'half_width' is a value" in ended.err
    ended = cai("validate", tmp_path / "nowhere", "--gate")
    assert ended.code == 1
    assert "No run in" in ended.err
    assert not (tmp_path / "nowhere").exists()
    empty = write_run(tmp_path / "empty", rows(4))
    ended = cai("validate", empty, "--gate")
    assert ended.code == 2
    assert f"cai validate plan {empty}" in ended.err


def test_everything_as_json(cai: Cai, run: Path, tmp_path: Path):
    path = tmp_path / "report.json"
    with RunStore.open(run, durable=False) as store:
        label_all(store, ["toy"], lambda place, item: "tie", kind="simulated")
    assert cai("validate", run, "--draws", 100, "--json", path).code == 0
    record = json.loads(path.read_bytes())
    assert record["gate"] is None
    assert record["labels"] == {"human": 192, "simulated": 64}
    assert (record["labelled"], record["items"], record["plan"]["seed"]) == (64, 64, 0)
    assert sum(n for _, _, n in record["judge"]["confusion"]) == 64
    assert [a["name"] for a, _ in record["annotators"]] == list(PEOPLE)
    assert 0 < record["estimates"]["accuracy"]["low"] < 1
    assert record["alternative"]["outcome"] == "passed"
    # A gate that is not passed writes it as well.
    path.unlink()
    failing = ("--gate", "--set", "gate.min_labels=99", "--draws", 100)
    assert cai("validate", run, "--json", path, *failing).code == 1
    gate = json.loads(path.read_bytes())["gate"]
    assert (gate["passed"], gate["labels"]) == (False, 64)
    assert [c["name"] for c in gate["checks"] if not c["passed"]] == ["labels"]


# What voids a verdict


def first_label(store: RunStore) -> tuple[str, Item, Choice]:
    labels = Labels(store)
    (who, _), action = next(iter(labels.current(kind="human").items()))
    item = next(i for i in labels.items() if i.item_id == action.item_id)
    assert action.annotation.choice is not None
    return who, item, action.annotation.choice


def edit(store: RunStore) -> None:
    who, item, choice = first_label(store)
    ann = next(a for a in Labels(store).annotators() if a.id == who)
    Labels(store).act([act(ann, item, other(choice))])


def withdraw(store: RunStore) -> None:
    ann = Labels(store).annotators()[0]
    Labels(store).act([act(ann, first_label(store)[1], None)])


def adjudicate(store: RunStore) -> None:
    eve = Labels(store).add_annotator("Eve", "human")
    Labels(store).act([act(eve, first_label(store)[1], "tie", "adjudicate")])


def plan_anew(store: RunStore) -> None:
    draw(store, 30)


def retire(store: RunStore) -> None:
    Labels(store).retire([first_label(store)[1].group_id], "promoted")


def change_run(store: RunStore) -> None:
    store.set_meta(plan="plan-2")


def change_prompts(store: RunStore) -> None:
    store.set_meta(epoch=1)


def grow(store: RunStore) -> None:
    more = judged(5000, 0.9)
    asyncio.run(store.admit([more.prompt], FixedSplits({more.prompt.id: "held_out"}), 0, 1))  # type: ignore[arg-type]
    asyncio.run(store.put_row(more))


def judge_anew(store: RunStore) -> None:
    """The same run asks the same, and is answered otherwise."""
    asyncio.run(store.put_row(judged(0, 0.8)))


CHANGES = [edit, withdraw, adjudicate, plan_anew, retire, change_run, change_prompts, grow]


@pytest.mark.parametrize("change", [*CHANGES, judge_anew])
def test_a_change_voids_the_verdict(passed: Path, change: Callable[[RunStore], None]):
    assert load_data(Preference, load_training(passed)).train
    with RunStore.open(passed, durable=False) as store:
        change(store)
        facts = gate_facts(store)
    assert holds(passed) == (True, False)
    assert (facts["validated"], facts["labels"]) == (False, 64)
    assert facts["reason"] == "labels, plan, run or toolkit have changed since the verdict"
    with pytest.raises(GateError) as caught:
        load_data(Preference, load_training(passed))
    said = str(caught.value)
    assert f"{passed}: not validated: {STALE}." in said
    assert f"cai validate {passed} --gate" in said
    assert "--allow-unvalidated" in said
    if change not in (change_run, change_prompts):
        # Prompts carry no labels: online training may go on with them.
        assert load_data(PromptExample, load_training(passed)).train


def test_a_sample_of_a_part_of_the_run_does_not_pass(cai: Cai, run: Path):
    with RunStore.open(run, durable=False) as store:
        grow(store)
    code, found = ask(cai, run)
    assert code == 1
    assert found["plan"][1] == "1 pair since the plan: draw again"


def test_what_was_lowered_stays_with_the_verdict(cai: Cai, run: Path):
    options = ("gate.min_kappa=null", "gate.min_labels=1", "gate.alternative_annotator=false")
    assert ask(cai, run, *options)[0] == 0
    with RunStore.read(run) as store:
        found = read_gate(store)
    assert found is not None
    lowered = (
        "min_labels 50 → 1",
        "min_kappa 0.4 → nothing",
        "alternative annotator test → not asked",
    )
    assert found[0].lowered == lowered
    assert "lowered thresholds: min_labels 50 → 1" in load_standing(run)
    assert card_of(run)[1].count("Lowered threshold: ") == 3


def load_standing(run: Path) -> str:
    return load_data(Preference, load_training(run)).sources[0].standing.said


def test_growth_is_seen_beside_what_was_retired(cai: Cai, run: Path):
    with RunStore.open(run, durable=False) as store:
        retire(store)
        grow(store)
    assert "plan" in ask(cai, run)[1]


def without_verdict(row: Row) -> Row:
    """The same pairs, labelled by construction: the first answer is the better one."""
    pairs = (replace(p, verdict=None, note="by construction", constructed=1.0) for p in row.pairs)
    return replace(row, pairs=tuple(pairs))


def test_labels_by_construction_are_held_against_people_as_well(cai: Cai, tmp_path: Path):
    made = [without_verdict(judged(500 + i, 0.9)) for i in range(40)]
    run = write_run(tmp_path / "run", [*rows(), *made])
    with RunStore.open(run, durable=False) as store:
        draw(store)
        label_all(store, PEOPLE, disagreeing_with_construction)
        report = make_report(store, Labels(store), ALL, draws=100)
    assert report.estimates.accuracy is not None
    assert report.estimates.accuracy.classical == pytest.approx(64 / 104)
    assert report.judge.confusion["by construction", "second"] == 40
    code, found = ask(cai, run)
    assert code == 1
    assert found["judge and people"][0] == "NO"


def disagreeing_with_construction(place: int, item: Item) -> Choice:
    return "second" if item.pair.constructed else winner(item)


def test_pairs_that_are_set_aside_are_not_asked_about(tmp_path: Path):
    aside = judged(500, 0.9, 0.8)
    pairs = (replace(aside.pairs[0], note="not the best and the worst"), aside.pairs[1])
    run = write_run(tmp_path / "run", [*rows(20), replace(aside, pairs=pairs)])
    said: list[str] = []
    with RunStore.open(run, durable=False) as store:
        _, items = make_plan(store, ALL, labels=1000, say=said.append)
    assert {item.pair.id for item in items} >= {pairs[1].id}
    assert pairs[0].id not in {item.pair.id for item in items}
    assert "1 held-out pairs that the run sets aside are left out." in said


def test_a_verdict_that_is_void_can_be_asked_for_again(cai: Cai, passed: Path):
    with RunStore.open(passed, durable=False) as store:
        edit(store)
    assert holds(passed) == (True, False)
    assert ask(cai, passed)[0] == 0
    assert holds(passed) == (True, True)


def test_what_counts_for_nothing_voids_nothing(passed: Path):
    with RunStore.open(passed, durable=False) as store:
        labels = Labels(store)
        ann, item = labels.annotators()[0], labels.items()[0]
        label_all(store, ["toy"], lambda place, item: "tie", kind="simulated")
        label_all(store, ["gpt"], lambda place, item: "tie", kind="model")
        toy = labels.add_annotator("toy", "simulated")
        fresh = labels.add_annotator("Dan", "human")
        labels.act(
            [
                act(ann, item, "tie", "practice"),
                act(toy, item, "tie", "adjudicate"),
                # Given and taken back.
                act(fresh, item, "tie"),
                act(fresh, item, None),
            ]
        )
        store.set_meta(seconds=99.0)
    assert holds(passed) == (True, True)
    assert load_data(Preference, load_training(passed)).train


def test_the_gate_cannot_be_asked_of_a_run_that_has_changed(cai: Cai, run: Path):
    with RunStore.open(run, durable=False) as store:
        change_run(store)
    ended = cai("validate", run, "--gate")
    assert ended.code == 2
    assert "has changed since its sample was drawn: 64 of 64 pairs" in ended.err
    with RunStore.read(run) as store:
        assert read_gate(store) is None


# Who is told


def card_of(run: Path) -> tuple[dict, str]:
    with RunStore.read(run) as store:
        folder = export(store, formats=("jsonl",)).folder
    card = (folder / "README.md").read_text(encoding="utf-8")
    section = card.partition("## Checked by people\n")[2].partition("\n## ")[0]
    return json.loads((folder / "manifest.json").read_bytes())["validation"], section


def test_the_export_carries_the_verdict_and_the_evidence(
    cai: Cai, labelled: Path, passed: Path, tmp_path: Path
):
    run = passed
    facts, card = card_of(Path(shutil.copytree(labelled, tmp_path / "unasked")))
    assert facts == {"validated": False, "reason": "people have not been asked"}
    assert "**Not validated: people have not been asked.**" in card
    facts, card = card_of(run)
    assert (facts["validated"], facts["reason"], facts["labels"]) == (True, "", 64)
    assert [c["name"] for c in facts["checks"]][:2] == ["labels", "people"]
    assert "People labelled 64 held-out pairs of this run" in card
    assert "| labels | at least 50 pairs labelled by people | 64 pairs | yes |" in card
    assert "| judge as annotator | alternative annotator test passed at ε = 0.15 | passed: " in card
    assert ask(cai, run, "gate.min_labels=65")[0] == 1
    facts, card = card_of(run)
    assert (facts["validated"], facts["reason"]) == (False, "the gate was not passed")
    assert "**Not validated: the gate was not passed.** People had labelled 64 held-out" in card
    assert "| labels | at least 65 pairs labelled by people | 64 pairs | no |" in card
    with RunStore.open(run, durable=False) as store:
        edit(store)
    facts, card = card_of(run)
    assert facts["reason"] == "labels, plan, run or toolkit have changed since the verdict"
    assert "**Not validated: labels, plan, run or toolkit have changed since the verdict.**" in card


def test_status_says_whether_people_have_checked(cai: Cai, run: Path, asked: Path):
    def line(folder: Path) -> str:
        out = cai("status", folder).out
        found = next(li for li in out.splitlines() if li.startswith("Checked by people"))
        return found.split("  ")[-1].strip()

    assert line(run) == "no: people have not been asked"
    assert line(asked) == "yes, 64 pairs"
    assert json.loads(cai("status", asked, "--json").out)["validation"]["validated"] is True
    with RunStore.open(run, durable=False) as store:
        store.set_meta(gate=asdict(GateVerdict(True, 64, (), "then", "another")))
    assert line(run) == "no: labels, plan, run or toolkit have changed since the verdict"


# Training


def test_training_says_what_the_gate_has_found(cai: Cai, run: Path):
    with pytest.raises(GateError, match="not validated: people have not been asked") as caught:
        load_data(Preference, load_training(run))
    assert f"cai validate plan {run}" in str(caught.value)
    assert ask(cai, run, "gate.min_labels=65")[0] == 1
    with pytest.raises(GateError, match=r"gate not passed \(labels: 64 pairs\)\. Have a sample"):
        load_data(Preference, load_training(run))
    told = load_data(Preference, load_training(run, {"gate": "report"}))
    assert not told.sources[0].standing.validated


def test_the_verdict_goes_along_with_the_data(asked: Path):
    (source,) = load_data(Preference, load_training(asked)).sources
    standing = source.standing
    assert (standing.validated, standing.labels) == (True, 64)
    assert standing.said == "gate passed with 64 pairs"


@pytest.mark.filterwarnings("default")
def test_training_is_refused_or_done_all_the_same(cai: Cai, run: Path, tmp_path: Path):
    from tests.unit.tiny_model import tiny_model, tiny_tokenizer

    base, folder = tmp_path / "tiny", tmp_path / "model"
    tiny_model().save_pretrained(base)
    tiny_tokenizer().save_pretrained(base)
    options: list[object] = ["--output", folder, "--model", base, "--max-steps", 1]
    for setting in ("batch_size=2", "micro_batch_size=1", "max_length=64", "max_prompt_length=48"):
        options += ["--set", f"training.{setting}"]
    said = "not validated: people have not been asked"
    ended = cai("train", "sft", run, *options)
    assert ended.code == 1
    assert f"{run}: {said}." in ended.err
    assert "--allow-unvalidated" in ended.err
    assert not (folder / "model.safetensors").exists()
    ended = cai("train", "sft", run, *options, "--allow-unvalidated")
    assert ended.code == 0, ended.err
    record = json.loads((folder / "training.json").read_bytes())
    assert record["told"] is True
    standing = record["sources"][0]["standing"]
    assert (standing["validated"], standing["said"], standing["labels"]) == (False, said, 0)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"**run: {said}.** The training was told to use it all the same" in card
