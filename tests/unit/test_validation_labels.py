"""What people do, as the run store keeps it: nothing twice, nothing lost, nobody mixed up."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cai.errors import StoreError, UsageError
from cai.store import RunStore, rows_for
from cai.validation import Annotator, Labels, SamplingPlan, Stratum
from cai.validation.labels import clean_name
from tests.unit.store_helpers import full_row
from tests.unit.validation_helpers import act, draw, judged, make_item, write_run

ITEMS = [make_item(i) for i in range(4)]
PLAN = SamplingPlan("p", 0, (Stratum("all", 20, 4),), 4, 1, 1.0, 0.0, False, "a test")


@pytest.fixture
def labels(tmp_path: Path) -> Iterator[Labels]:
    with RunStore.open(tmp_path / "run", durable=False) as store:
        yield Labels(store)


@pytest.fixture
def ada(labels: Labels) -> Annotator:
    return labels.add_annotator("Ada", "human")


# Plans


def test_a_plan_comes_back_as_it_was(labels: Labels):
    assert labels.plan() is None
    assert labels.items() == ()
    with pytest.raises(UsageError, match=r"no sampling plan.*cai validate plan"):
        labels.needed_plan()
    odd = replace(ITEMS[0], known="tie", why="Both \u2028 are \x00 the same.", repeat=True)
    labels.put_plan(PLAN, [odd, *ITEMS[1:]])
    assert labels.plan() == labels.needed_plan() == PLAN
    assert labels.items() == (odd, *ITEMS[1:])


def test_the_last_plan_counts_also_when_it_is_an_old_one(labels: Labels):
    other = replace(PLAN, seed=1)
    labels.put_plan(PLAN, ITEMS[:2])
    labels.put_plan(other, ITEMS[2:])
    assert (labels.plan(), labels.items()) == (other, tuple(ITEMS[2:]))
    # The same plan with other items: they take the place of the earlier ones.
    labels.put_plan(PLAN, ITEMS[1:3])
    assert (labels.plan(), labels.items()) == (PLAN, tuple(ITEMS[1:3]))
    labels.put_plan(PLAN, [])
    assert (labels.plan(), labels.items()) == (PLAN, ())


def test_labels_outlive_their_plan(labels: Labels, ada: Annotator):
    labels.put_plan(PLAN, ITEMS[:1])
    labels.act([act(ada, ITEMS[0], "first")])
    labels.put_plan(replace(PLAN, seed=1), ITEMS[1:])
    assert set(labels.current()) == {(ada.id, ITEMS[0].item_id)}


def test_a_run_that_is_read_can_be_looked_at_and_not_changed(labels: Labels, ada: Annotator):
    labels.put_plan(PLAN, ITEMS)
    labels.act([act(ada, ITEMS[0], "first")])
    with RunStore.read(labels.store.folder) as store:
        looked = Labels(store)
        assert looked.items() == tuple(ITEMS)
        assert looked.annotators() == (ada,)
        assert looked.current() == labels.current()
        with pytest.raises(StoreError, match="opened for reading"):
            looked.act([act(ada, ITEMS[0], "tie")])


# Annotators


def test_a_name_is_cleaned_or_refused():
    assert clean_name("  Zoe\u0301   Ada ") == "Zoé Ada"
    for name in ("", " ", "x" * 61, "a\x00b"):
        with pytest.raises(UsageError, match="Allowed: 1 to 60"):
            clean_name(name)


def test_the_same_name_is_the_same_annotator(labels: Labels):
    first = labels.add_annotator("Ada  Byron", "human")
    assert first == Annotator("Ada Byron", "human")
    assert labels.add_annotator(" Ada\tByron ", "human") == first
    # One letter or a letter and an accent: nobody can see which it is.
    composed = labels.add_annotator("Zo\u00eb", "human")
    assert labels.add_annotator("Zoe\u0308", "human") == composed
    assert labels.annotators() == (first, composed)


def test_a_name_in_another_case_is_the_same_person(labels: Labels, ada: Annotator):
    assert labels.add_annotator("ADA", "human") == ada
    assert labels.annotators() == (ada,)
    with pytest.raises(UsageError, match="is human in this run"):
        labels.add_annotator("aDA", "model")


def test_kinds_are_kept_apart(labels: Labels):
    labels.add_annotator("Ada", "human")
    for kind in ("model", "simulated"):
        with pytest.raises(UsageError, match=f"'Ada' is human in this run, not {kind}"):
            labels.add_annotator("Ada", kind)  # type: ignore[arg-type]
    labels.add_annotator("gpt", "model")
    with pytest.raises(UsageError, match="'gpt' is model in this run, not human"):
        labels.add_annotator("gpt", "human")
    assert [a.kind for a in labels.annotators()] == ["human", "model"]


@pytest.mark.parametrize("name", ["", "  \n", "x" * 61, "a\x1b[2J", "\u202eadA", "A\u200bda"])
def test_odd_names_are_refused(labels: Labels, name: str):
    with pytest.raises(UsageError, match="Allowed: 1 to 60"):
        labels.add_annotator(name, "human")
    assert labels.annotators() == ()


def test_hostile_names_are_only_names(labels: Labels):
    name = "Robert'); DROP TABLE actions;--"
    who = labels.add_annotator(name, "human")
    labels.act([act(who, ITEMS[0], "tie")])
    assert labels.annotators()[0].name == name
    assert len(labels.current()) == 1


# Actions


def test_an_action_that_is_sent_twice_is_stored_once(labels: Labels, ada: Annotator):
    one, two = act(ada, ITEMS[0], "first"), act(ada, ITEMS[1], "tie", note="\x00 ✓", seconds=2.5)
    assert labels.act([one]) == 1
    assert labels.act([one, two, two]) == 1
    assert asyncio.run(labels.act_soon([one, two])) == 0
    assert list(labels.actions()) == [one, two]
    # What is sent under a known id later does not replace what was said.
    assert labels.act([act(ada, ITEMS[0], "second", action_id=one.action_id)]) == 0
    assert labels.current()[ada.id, ITEMS[0].item_id] == one


def test_the_last_action_counts_and_none_takes_it_back(labels: Labels, ada: Annotator):
    key = ada.id, ITEMS[0].item_id
    said = [act(ada, ITEMS[0], choice) for choice in ("first", "second", None, "skip", None)]
    expected = ["first", "second", None, "skip", None]
    for action, choice in zip(said, expected, strict=True):
        labels.act([action])
        found = labels.current().get(key)
        assert (found.annotation.choice if found else None) == choice
    assert list(labels.actions()) == said


def test_the_order_is_that_of_the_actions(labels: Labels, ada: Annotator):
    bob = labels.add_annotator("Bob", "human")
    said = [
        act(ada, ITEMS[2], "first"),
        act(bob, ITEMS[1], "first"),
        act(ada, ITEMS[1], "tie"),
        act(ada, ITEMS[2], "second"),
    ]
    labels.act(said)
    assert list(labels.current().values()) == said[1:]
    assert labels.actions_of(ada) == [said[0], *said[2:]]
    numbers = [number for number, _ in labels.since(0)]
    assert numbers == sorted(numbers)
    assert [action for _, action in labels.since(numbers[1])] == said[2:]


def test_what_counts_now_by_role_and_kind(labels: Labels, ada: Annotator):
    model = labels.add_annotator("judge", "model")
    toy = labels.add_annotator("toy", "simulated")
    labels.act(
        [
            act(ada, ITEMS[0], "first"),
            act(ada, ITEMS[0], "tie", "practice"),
            act(ada, ITEMS[0], "second", "adjudicate"),
            act(model, ITEMS[0], "first"),
            act(toy, ITEMS[0], "first"),
        ]
    )
    assert [a.annotator_id for a in labels.current().values()] == [ada.id, model.id, toy.id]
    assert set(labels.current(kind="human")) == {(ada.id, ITEMS[0].item_id)}
    assert set(labels.current(kind="model")) == {(model.id, ITEMS[0].item_id)}
    (practised,) = labels.current("practice").values()
    (ruled,) = labels.current("adjudicate", "human").values()
    assert (practised.annotation.choice, ruled.annotation.choice) == ("tie", "second")
    assert labels.current("adjudicate", "model") == {}


def test_an_unknown_annotator_stores_nothing(labels: Labels, ada: Annotator):
    nobody = Annotator("nobody", "human")
    with pytest.raises(StoreError, match="Add the annotator first"):
        labels.act([act(ada, ITEMS[0], "first"), act(nobody, ITEMS[0], "first")])
    assert list(labels.actions()) == []


# Retired groups


def test_retired_groups_are_held_out_no_longer(tmp_path: Path):
    rows = [judged(i, 0.9, 0.2) for i in range(4)]
    with RunStore.open(write_run(tmp_path / "run", rows), durable=False) as store:
        labels = Labels(store)
        _, items = draw(store)
        gone = rows[1].prompt.id
        labels.retire([gone, gone], "promoted")
        labels.retire([gone], "promoted")
        assert labels.retired() == {gone}
        assert len(labels.items()) == 6
        assert gone not in {item.group_id for item in labels.items()}
        assert {item.item_id for item in labels.promoted_items()} == {p.id for p in rows[1].pairs}
        open_now = [row.prompt.id for row, _ in rows_for(store, "validation")]
        assert open_now == [row.prompt.id for row in rows if row.prompt.id != gone]
        counted = [row.prompt.id for row, _ in rows_for(store, "report", "held_out")]
        assert counted == [row.prompt.id for row in rows]
        # They are no training rows either: what the judge said of them stays closed.
        assert gone not in {row.prompt.id for row, _ in rows_for(store, "training")}
        # A new plan knows them as little as an old one that is put again.
        plan, _ = draw(store)
        assert plan.pairs == 6
        labels.put_plan(PLAN, items)
        assert len(labels.items()) == 6
        assert len(labels.promoted_items()) == 2


def test_retired_pairs_of_all_kinds_of_rows(tmp_path: Path):
    row = full_row(judged(0, 0.9).prompt)
    with RunStore.open(write_run(tmp_path / "run", [row, judged(1, 0.9)]), durable=False) as store:
        draw(store)
        Labels(store).retire([row.prompt.id], "promoted")
        assert {i.item_id for i in Labels(store).promoted_items()} == {p.id for p in row.pairs}
