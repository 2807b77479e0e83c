"""Answers: what they mean for the pair, undo, resending, and what a browser is never told."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cai.hashing import unit_interval
from cai.records import Message, Pair, Prompt
from cai.store import RunStore
from cai.validation import Annotation, Item, Labels
from cai.validation.review.practice import packaged_practice, read_practice
from cai.validation.review.run import Review
from cai.validation.review.showing import PREVIEW
from tests.unit.review_helpers import Browser, action, make_item, make_run, preferring


@pytest.fixture
def items() -> list[Item]:
    return [make_item(i) for i in range(12)]


@pytest.fixture
def store(tmp_path: Path, items: list[Item]) -> Iterator[RunStore]:
    with make_run(tmp_path / "run", items) as store:
        yield store


@pytest.fixture
def review(store: RunStore) -> Review:
    return Review(store, practice=read_practice(packaged_practice()), adjudicators=["Judy"])


@pytest.fixture
def plain(store: RunStore) -> Review:
    return Review(store, adjudicators=["Judy"])


def said(review: Review, name: str, role: str = "label") -> dict[str, Annotation]:
    ids = {a.name: a.id for a in Labels(review.labels.store).annotators()}
    entries = review.ledger.of_annotator(role, ids[name])  # type: ignore[arg-type]
    return {item: entry.annotation for item, entry in entries.items()}


def test_an_answer_means_what_was_seen(plain: Review) -> None:
    seen = set()
    for name in ("Ada", "Ben"):
        browser = Browser(plain, name)
        (annotator,) = [a for a in plain.peers() if a.name == name]
        for view in browser.queue()["items"]:
            assert {view["a"]["text"][:5], view["b"]["text"][:5]} == {"Draft", "Bette"}
            browser.answer(
                view, preferring(view, "Better"), confidence=2, principle_id="kind.p1",
                note=" because ", flagged=True, a_refuses="Draft" in view["a"]["text"],
                b_refuses="Draft" in view["b"]["text"], seconds=3.5,
            )  # fmt: skip
        labels = said(plain, name)
        for item, label in labels.items():
            expected = Annotation(
                *("second", label.swapped, 2, "kind.p1", "because", True),
                *(True, False, 3.5),
            )
            assert label == expected
            assert label.swapped == (unit_interval(7, annotator.id, item) < 0.5)
        seen |= {(item, label.swapped) for item, label in labels.items()}
    # Each sees an order of their own.
    assert 12 < len(seen) <= 24


@pytest.mark.parametrize("choice", ["tie", "both_bad", "skip"])
def test_answers_without_a_side(plain: Review, choice: str) -> None:
    browser = Browser(plain)
    browser.answer(browser.queue()["items"][0], choice)
    (label,) = said(plain, "Ada").values()
    assert label.choice == choice


def test_the_browser_is_told_nothing_of_verdicts_and_names(review: Review, plain: Review) -> None:
    for name, word in (("Ada", "Draft"), ("Ben", "Better")):
        browser = Browser(plain, name)
        view = browser.queue()["items"][0]
        browser.answer(view, preferring(view, word))
    judy = Browser(plain, "Judy")
    first = plain.originals[0].item_id
    paths = ["/api/queue", "/api/queue?role=adjudicate", "/label", "/adjudicate", "/guideline"]
    paths += [f"/api/items/label/{first}", f"/api/items/adjudicate/{first}", "/api/dashboard"]
    for path in paths:
        answer = judy.get(path)
        assert answer.status_code == 200
        for hidden in ("secret", "0.1234", "verdict", "swapped", "inclusion", "revision", 'known"'):
            assert hidden not in answer.text, (path, hidden)
    assert set(judy.queue()["items"][0]) == {"item_id", "role", "ticket", "messages", "a", "b"}
    practice = next(item for item in review.items.values() if item.known)
    assert practice.why[:30] not in Browser(review, "Cleo").get("/api/queue").text


def test_an_answer_that_is_sent_twice_is_stored_once(plain: Review) -> None:
    browser = Browser(plain)
    first, second = (action(v, "a") for v in browser.queue()["items"][:2])
    for body in ([first], [first, second], [first, second]):
        done = browser.post("/api/actions", {"actions": body})
        assert done.status_code == 200
    assert done.json()["progress"]["done"] == 2
    assert len(list(plain.labels.actions())) == 2


def test_undo_takes_the_label_back_and_keeps_the_trace(plain: Review) -> None:
    browser = Browser(plain)
    views = browser.queue()["items"]
    browser.answer(views[0], "a", note="hasty", confidence=1)
    history = browser.queue()["history"]
    assert history == [{"role": "label", "item_id": views[0]["item_id"]}]
    found = browser.get(f"/api/items/label/{views[0]['item_id']}").json()
    assert found["item"] == views[0]
    given = {"choice": "a", "confidence": 1, "note": "hasty", "flagged": False}
    assert given.items() <= found["annotation"].items()
    done = browser.answer(views[0], None)
    assert done.json()["progress"]["done"] == 0
    assert browser.queue()["items"][0] == views[0]
    assert browser.queue()["history"] == []
    assert [a.annotation.choice is None for a in plain.labels.actions()] == [False, True]
    assert browser.get(f"/api/items/label/{views[0]['item_id']}").json()["annotation"] is None


def test_the_last_of_two_browsers_counts(plain: Review) -> None:
    one, two = Browser(plain), Browser(plain)
    view = one.queue()["items"][0]
    one.answer(view, "a")
    two.answer(view, "tie")
    assert [a.choice for a in said(plain, "Ada").values()] == ["tie"]
    assert one.queue()["progress"] == two.queue()["progress"]
    assert one.queue()["progress"]["done"] == 1


def test_an_answer_from_an_earlier_plan_still_means_the_same(
    plain: Review, store: RunStore, items: list[Item]
) -> None:
    browser = Browser(plain)
    views = browser.queue()["items"]
    plan = plain.plan
    plain.labels.put_plan(replace(plan, seed=8), items)
    later = Review(store)
    assert later.plan.seed == 8
    again = Browser(later)
    for view in views:
        assert again.answer(view, preferring(view, "Better")).status_code == 200
    assert {a.choice for a in said(later, "Ada").values()} == {"second"}


def test_practice_comes_first_and_explains(review: Review) -> None:
    browser = Browser(review)
    view = browser.queue()["items"][0]
    assert view["role"] == "practice" and view["item_id"] == "practice-answers-the-question"
    done = browser.answer(view, preferring(view, "About six minutes")).json()
    feedback = done["feedback"][view["item_id"]]
    assert feedback["right"] and feedback["answer"] == preferring(view, "About six minutes")
    assert feedback["why"].startswith("The better answer gives a time")
    assert (done["progress"]["practice_done"], done["progress"]["done"]) == (1, 0)
    wrong = browser.queue()["items"][0]
    assert not browser.answer(wrong, "tie").json()["feedback"][wrong["item_id"]]["right"]
    assert browser.queue()["history"][-1]["role"] == "practice"
    assert said(review, "Ada") == {}
    assert browser.get(f"/api/items/label/{view['item_id']}").status_code == 404
    while (items := browser.queue()["items"])[0]["role"] == "practice":
        browser.answer(items[0], "a")
    assert len(items) == 12


def test_long_texts_are_sent_when_they_are_asked_for(tmp_path: Path) -> None:
    long = "é" * 1_000_000
    prompt = Prompt((Message("user", "x" * (PREVIEW + 1)),))
    pair = Pair(prompt.id, "samples", long, "short", "", "")
    with make_run(tmp_path / "long", [Item(pair.id, prompt, pair, prompt.id)]) as store:
        browser = Browser(Review(store))
        view = browser.queue()["items"][0]
        side = preferring(view, "é")
        assert len(json.dumps(browser.queue(), ensure_ascii=False)) < 3 * PREVIEW
        assert (len(view[side]["text"]), view[side]["length"]) == (PREVIEW, 1_000_000)
        where = f"/api/items/label/{pair.id}/text"
        assert browser.get(f"{where}/{side}").json()["text"] == long
        assert browser.get(f"{where}/0").json()["text"] == prompt.messages[0].content
        for part in ("1", "-1", "c", "٣", "9999999999"):
            assert browser.get(f"{where}/{part}").status_code == 404
        assert browser.get("/api/items/label/none/text/a").status_code == 404
        assert browser.get(f"/api/items/odd/{pair.id}").status_code == 404
        assert Browser(Review(store), name=None).get(f"{where}/a").status_code == 401
