"""Labels that are handed to training, and mistakes that become test cases."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cai.constitution.cases import CaseFile
from cai.errors import GateError, UsageError
from cai.hashing import unit_interval
from cai.records import Message, Prompt
from cai.store import RunStore, rows_for
from cai.store.gate import GateVerdict, labels_state, read_gate, write_gate
from cai.train.data import load_data
from cai.train.examples import Demonstration, Preference, PromptExample
from cai.train.files import read_file
from cai.train.load import load_training
from cai.validation import Item, Labels
from cai.validation.cases import as_plain, find_cases
from cai.validation.promote import HumanPreference, promote, promoted
from cai.validation.records import Choice
from cai.validation.report import make_report
from tests.unit.cli_helpers import Cai, shell
from tests.unit.validation_helpers import ALL, act, draw, judged, label_all, write_run

SAID: dict[str, Choice] = {"1": "first", "2": "second", "t": "tie", "b": "both_bad", "s": "skip"}


@pytest.fixture
def cai(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cai:
    return shell(monkeypatch, capsys)


def number_of(item: Item) -> int:
    return int(item.prompt.messages[0].content.removeprefix("Question ").rstrip("?"))


def write(folder: Path, *said: str) -> Path:
    """A held-out row for each word; its letters are what Ann, Ben and Cyd say of its pair."""
    write_run(folder, [judged(i, 0.9) for i in range(len(said))])
    with RunStore.open(folder, durable=False) as store:
        draw(store)
        labels = Labels(store)
        people = [labels.add_annotator(name, "human") for name in ("Ann", "Ben", "Cyd")]
        for item in labels.items():
            letters = zip(people, said[number_of(item)], strict=False)
            labels.act(act(who, item, SAID[c]) for who, c in letters if c != ".")
    return folder


def training(run: Path) -> dict[int, Preference]:
    """Examples by people that a trainer of preferences reads, by the number of their row."""
    config = load_training(run, {"gate": "report"})
    found = [e for e in load_data(Preference, config).train if e.origin == "human"]
    return {int(e.prompt[0].content.split()[1].rstrip("?")): e for e in found}


def is_open(run: Path) -> set[int]:
    with RunStore.read(run) as store:
        rows = [row for row, _ in rows_for(store, "validation")]
    return {int(row.prompt.messages[0].content.split()[1].rstrip("?")) for row in rows}


# Promotion


def test_promoted_pairs_are_labels_by_people(tmp_path: Path):
    run = write(tmp_path / "run", "112", "222", "1t.", "1", "2b", "s2.", "12", "ttt", "...")
    assert training(run) == {}
    with RunStore.open(run, durable=False) as store:
        done = promote(Labels(store))
        # Six have a winner; all eight groups with a label go, whatever was said of them.
        assert (done.pairs, done.groups, done.left) == (6, 8, 0)
        assert {item.group_id for item in Labels(store).items()} == {judged(8).prompt.id}
        by_people = list(promoted(store))
    found = training(run)
    expected = {
        0: ("Draft 0.", "Better 0.", 2 / 3),
        1: ("Better 1.", "Draft 1.", 1.0),
        2: ("Draft 2.", "Better 2.", 0.75),
        3: ("Draft 3.", "Better 3.", 1.0),
        4: ("Better 4.", "Draft 4.", 0.75),
        5: ("Better 5.", "Draft 5.", 1.0),
    }
    assert {n: (e.chosen, e.rejected, pytest.approx(e.p)) for n, e in found.items()} == expected
    assert sorted(one.labels for one in by_people) == [1, 1, 2, 2, 3, 3]
    assert {e.id for e in found.values()} == {one.pair_id for one in by_people}
    assert is_open(run) == {8}
    # What the judge said of these prompts, and their revisions, are closed to training as before.
    config = load_training(run, {"gate": "report"})
    for kind in (Demonstration, PromptExample):
        assert "Question 0?" not in str(load_data(kind, config).train)
    data = load_data(Preference, config)
    assert {e.origin for e in data.dev} == {"ai"}
    assert "Question 0?" not in str([e for e in data.train if e.origin == "ai"])


def test_the_word_of_an_adjudicator_stands_alone(tmp_path: Path):
    run = write(tmp_path / "run", "12", "112", "22", "12")
    with RunStore.open(run, durable=False) as store:
        labels = Labels(store)
        eve = labels.add_annotator("Eve", "human")
        rulings: dict[int, Choice] = {0: "first", 1: "second", 2: "tie"}
        for item in labels.items():
            if number_of(item) in rulings:
                labels.act([act(eve, item, rulings[number_of(item)], "adjudicate")])
        assert promote(labels).pairs == 2
    found = training(run)
    assert {n: (e.chosen, e.p) for n, e in found.items()} == {
        0: ("Draft 0.", 1.0),
        1: ("Better 1.", 1.0),
    }


def test_labels_that_are_no_persons_are_not_promoted(tmp_path: Path):
    run = write(tmp_path / "run", "1", "...", "...")
    with RunStore.open(run, durable=False) as store:
        label_all(store, ["toy"], lambda place, item: "second", kind="simulated")
        label_all(store, ["gpt"], lambda place, item: "second", kind="model")
        done = promote(Labels(store))
    assert (done.pairs, done.groups) == (1, 1)
    assert {n: (e.chosen, e.p) for n, e in training(run).items()} == {0: ("Draft 0.", 1.0)}
    assert is_open(run) == {1, 2}


def test_a_group_goes_as_a_whole(tmp_path: Path):
    rows = [judged(0, 0.9, 0.2, 0.7), judged(1, 0.9)]
    run = write_run(tmp_path / "run", rows)
    with RunStore.open(run, durable=False) as store:
        draw(store)
        labels = Labels(store)
        ann = labels.add_annotator("Ann", "human")
        one = next(i for i in labels.items() if i.pair == rows[0].pairs[1])
        labels.act([act(ann, one, "second")])
        done = promote(labels)
        assert (done.pairs, done.groups, done.left) == (1, 1, 0)
        # The other pairs of the prompt have no label, and are held out no longer either.
        assert [item.pair for item in labels.items()] == list(rows[1].pairs)
        assert [p.pair_id for p in promoted(store)] == [rows[0].pairs[1].id]


def test_a_share_is_taken_whatever_was_said(tmp_path: Path):
    """What stays is a random part of the sample, so that estimates from it stay right."""
    said = ["1", "t", "2", "1", "b", "2", "t", "1", "2", "t"]
    run = write(tmp_path / "run", *said, "...", "...")
    with RunStore.open(run, durable=False) as store:
        labels = Labels(store)
        in_order = [number_of(item) for item in labels.items() if number_of(item) < len(said)]
        done = promote(labels, share=0.4)
        assert (done.groups, done.left) == (4, 6)
        gone = {number_of(item) for item in labels.promoted_items()}
        assert gone == set(in_order[:4])
        assert done.pairs == sum(said[n] in "12" for n in gone)
    assert is_open(run) == set(range(12)) - gone
    assert set(training(run)) == {n for n in gone if said[n] in "12"}
    with RunStore.open(run, durable=False) as store:
        again = promote(Labels(store), share=1.0)
        assert (again.groups, again.left) == (6, 0)
    assert set(training(run)) == {n for n, letter in enumerate(said) if letter in "12"}


def test_what_is_left_is_no_flattering_sample(tmp_path: Path):
    """A judge that is right in two of three pairs does not look better after a promotion."""

    def choose(place: int, item: Item) -> Choice:
        u = unit_interval("said", item.item_id)
        return "first" if u < 0.5 else "second" if u < 0.75 else "tie"

    run = write_run(tmp_path / "run", [judged(i, 0.9) for i in range(200)])
    with RunStore.open(run, durable=False) as store:
        draw(store)
        label_all(store, ["Ann"], choose)
        labels = Labels(store)
        before = make_report(store, labels, ALL, draws=100).estimates.accuracy
        promote(labels, share=0.5)
        after = make_report(store, labels, ALL, draws=100).estimates.accuracy
    assert before is not None
    assert after is not None
    assert after.n_labelled == 100
    assert after.low < before.estimate < after.high


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (("...", "..."), "Nobody has labelled pairs of the plan"),
        (("t", "12", "b", "s"), "has a winner by people's labels"),
    ],
)
def test_without_a_winner_nothing_is_promoted(
    tmp_path: Path, said: tuple[str, ...], error: str, cai: Cai
):
    run = write(tmp_path / "run", *said)
    with RunStore.open(run, durable=False) as store:
        with pytest.raises(UsageError, match=f"{error}.*cai review"):
            promote(Labels(store))
        assert Labels(store).retired() == frozenset()
    ended = cai("validate", "promote", run, "--yes")
    assert ended.code == 2
    assert error in ended.err


def gated(store: RunStore) -> None:
    write_gate(store, GateVerdict(True, 9, (), "2026-01-01T00:00:00+00:00", labels_state(store)))


def test_the_command_asks_and_writes_a_file(
    tmp_path: Path, cai: Cai, monkeypatch: pytest.MonkeyPatch
):
    run = write(tmp_path / "run", "112", "22.", "t..")
    with RunStore.open(run, durable=False) as store:
        gated(store)
    out = tmp_path / "new" / "people.jsonl"
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    asked = cai("validate", "promote", run, "--out", out)
    assert asked.code == 1
    assert "leave the held-out set for good" in asked.out + asked.err
    assert is_open(run) == {0, 1, 2}
    assert not out.exists()
    ended = cai("validate", "promote", run, "--yes", "--out", out)
    assert ended.code == 0, ended.err
    assert "2 more pairs of 3 prompt groups may be trained on; 0 labelled pairs stay" in ended.out
    assert f"cai validate plan {run}" in ended.out
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert sorted((r["chosen"], r["p"], r["labels"]) for r in rows) == [
        ("Better 1.", 1.0, 2),
        ("Draft 0.", pytest.approx(2 / 3), 3),
    ]
    # Other trainers, and this one, read the file as it is.
    by_file = {e.prompt: (e.chosen, e.rejected, e.p) for e in read_file(out, "human")}
    by_run = {e.prompt: (e.chosen, e.rejected, e.p) for e in training(run).values()}
    assert by_file == by_run
    with RunStore.read(run) as store:
        found = read_gate(store)
    assert found is not None
    assert (found[0].passed, found[1]) == (True, False)
    with pytest.raises(
        GateError, match="labels, plan, run or toolkit have changed since the verdict"
    ):
        load_data(Preference, load_training(run))
    assert cai("validate", "promote", tmp_path / "nowhere", "--yes").code == 1
    assert not (tmp_path / "nowhere").exists()


def test_labels_outlive_the_plan_that_was_promoted(tmp_path: Path):
    """A pair that two plans have drawn comes once, with all that people have said of it."""
    run = write(tmp_path / "run", "1", "2", "1")
    with RunStore.open(run, durable=False) as store:
        promote(Labels(store), share=0.34)
        before = list(promoted(store))
        draw(store, seed=5)
        assert list(promoted(store)) == before
        assert len(before) == 1
        assert isinstance(before[0], HumanPreference)
        # One who changes their mind changes what is trained on.
        labels = Labels(store)
        ann = labels.annotators()[0]
        turned: Choice = "second" if before[0].chosen.startswith("Draft") else "first"
        labels.act([act(ann, before[0].pair_id, turned)])
        (after,) = promoted(store)
        assert (after.chosen, after.rejected) == (before[0].rejected, before[0].chosen)


# Cases


def mistakes(folder: Path) -> Path:
    """Row 0 right; 1 to 3 wrong, the judge surer of 2; 4 a tie to people; 5 no verdict."""
    ps: list[float | str] = [0.9, 0.3, 0.98, 0.8, 0.1, "refused", 0.5]
    write_run(folder, [judged(i, p, tags=(f"tag {i}",)) for i, p in enumerate(ps)])
    said: list[Choice] = ["first", "first", "second", "second", "tie", "second", "tie"]
    with RunStore.open(folder, durable=False) as store:
        draw(store)
        labels = Labels(store)
        for name in ("Ann", "Ben"):
            who = labels.add_annotator(name, "human")
            labels.act(
                act(who, i, said[number_of(i)], note=f"{name}: no.", principle_id="p2")
                for i in labels.items()
            )
    return folder


def test_cases_are_what_the_judge_got_wrong(tmp_path: Path):
    with RunStore.read(mistakes(tmp_path / "run")) as store:
        cases = find_cases(Labels(store))
    found = [(number_of(c.item), c.expect) for c in cases]
    # The surest mistakes first; where the judge said nothing it was sure of nothing.
    assert found == [(2, "b"), (4, "tie"), (3, "b"), (1, "a"), (5, "b")]
    assert as_plain(cases[0]) == {
        "id": f"people-{cases[0].item.pair.id}",
        "principle": "p2",
        "prompt": [{"role": "user", "content": "Question 2?"}],
        "better": "Better 2.",
        "worse": "Draft 2.",
        "note": "By 2 people. The judge preferred the other one (p of its choice 0.98). "
        "Ann: no. Ben: no.",
    }
    assert [as_plain(c)["note"].split(". ")[1] for c in cases[2:]] == [
        "The judge preferred the other one (p of its choice 0.80)",
        "The judge preferred the other one (p of its choice 0.70)",
        "The judge said nothing",
    ]
    with pytest.raises(ValueError, match="people prefer neither answer"):
        as_plain(cases[1])


def read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return loaded


def test_the_file_of_cases(tmp_path: Path, cai: Cai):
    run = mistakes(tmp_path / "run")
    ended = cai("validate", "to-cases", run)
    assert ended.code == 0, ended.err
    assert f"4 cases on which people and judge disagree: {run}/validation/cases.yaml" in ended.out
    assert "Left out: 1 that people call a tie" in ended.out
    assert "They stay held out" in ended.out
    found = read(run / "validation" / "cases.yaml")
    # They are what `cai constitution test` reads.
    CaseFile.model_validate(found)
    assert [case["better"] for case in found["cases"]][:3] == ["Better 2.", "Better 3.", "Draft 1."]
    assert is_open(run) == set(range(7))
    few = tmp_path / "deep" / "few.yaml"
    assert cai("validate", "to-cases", run, "--limit", 3, "--out", few).code == 0
    assert read(few)["cases"] == found["cases"][:2]
    assert cai("validate", "to-cases", tmp_path / "nowhere").code == 1
    bare = write_run(tmp_path / "bare", [judged(0, 0.9)])
    ended = cai("validate", "to-cases", bare)
    assert ended.code == 2
    assert "cai validate plan" in ended.err


def test_retiring_cases_takes_the_whole_sample(tmp_path: Path, cai: Cai):
    """Without the judge's mistakes, the labels that stay would say that it makes none."""
    run = mistakes(tmp_path / "run")
    with RunStore.open(run, durable=False) as store:
        gated(store)
    ended = cai("validate", "to-cases", run, "--limit", 1, "--retire")
    assert ended.code == 0, ended.err
    assert "All 7 labelled prompt groups are held out no longer" in ended.out
    assert len(read(run / "validation" / "cases.yaml")["cases"]) == 1
    assert is_open(run) == set()
    with RunStore.read(run) as store:
        found = read_gate(store)
        assert found is not None
        assert not found[1]
        assert make_report(store, Labels(store), ALL, draws=100).labelled == 0


def test_the_config_says_how_several_labels_become_one(tmp_path: Path, cai: Cai):
    run = write(tmp_path / "run", "221", "222", "111")
    assert cai("validate", "to-cases", run).code == 0
    assert len(read(run / "validation" / "cases.yaml")["cases"]) == 2
    with RunStore.open(run, durable=False) as store:
        store.set_meta(config={"validation": {"gold": "adjudicated"}})
    assert cai("validate", "to-cases", run).code == 0
    assert len(read(run / "validation" / "cases.yaml")["cases"]) == 1


def test_hostile_texts_come_back_from_the_file(tmp_path: Path, cai: Cai):
    odd = "- a: [b\n# c\n\t'\"`\u2028\u0085\u202e \x1b[2J yes: {{ 1 }} |\n---\n...\n🙂 \ufeff end "
    prompt = Prompt((Message("system", odd), Message("user", odd + "?")), (odd,))
    row = judged(0, 0.9)
    pair = replace(row.pairs[0], prompt_id=prompt.id, first=odd + "1", second=odd + "2")
    run = write_run(tmp_path / "run", [replace(row, prompt=prompt, pairs=(pair,))])
    with RunStore.open(run, durable=False) as store:
        draw(store)
        labels = Labels(store)
        ann = labels.add_annotator("Ann", "human")
        labels.act([act(ann, i, "second", note=odd) for i in labels.items()])
    assert cai("validate", "to-cases", run).code == 0
    (case,) = read(run / "validation" / "cases.yaml")["cases"]
    assert (case["worse"], case["better"]) == (odd + "1", odd + "2")
    assert case["prompt"][0] == {"role": "system", "content": odd}
    assert case["note"].endswith(odd)
    # Such a word is no tag of a case.
    assert "tags" not in case
