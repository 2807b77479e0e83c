"""Who is asked about what: shared items, single ones, second showings, joining and leaving."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cai.validation import Item
from cai.validation.review.run import Review
from tests.unit.review_helpers import Browser, again, make_item, make_run, originals

if TYPE_CHECKING:
    from cai.store import RunStore

Making = Callable[..., Review]


@pytest.fixture
def making(tmp_path: Path) -> Iterator[Making]:
    stores: list[RunStore] = []

    def make(items: list[Item], adjudicators: tuple[str, ...] = ()) -> Review:
        stores.append(make_run(tmp_path / f"run{len(stores)}", items))
        return Review(stores[-1], adjudicators=adjudicators)

    yield make
    for store in stores:
        store.close()


def test_shared_items_go_to_everybody_in_the_order_of_the_plan(making: Making) -> None:
    items = [make_item(i) for i in range(15)]
    review = making(items)
    for name in ("Ada", "Ben"):
        browser = Browser(review, name)
        assert len(browser.queue()["items"]) == 12
        assert browser.answer_all() == originals(items)
        progress = browser.queue()["progress"]
        assert (progress["done"], progress["total"], progress["others"]) == (15, 15, 0)


def test_it_goes_on_at_the_first_item_without_a_label(making: Making) -> None:
    items = [make_item(i) for i in range(6)]
    review = making(items)
    browser = Browser(review)
    views = browser.queue()["items"]
    for view in (views[0], views[3]):
        browser.answer(view, "a")
    later = Browser(Review(review.labels.store))
    assert [i["item_id"] for i in later.queue()["items"]] == [
        items[n].item_id for n in (1, 2, 4, 5)
    ]


def test_single_items_go_to_one_annotator_each(making: Making) -> None:
    items = [make_item(i, shared=i % 4 == 0) for i in range(80)]
    review = making(items)
    people = [Browser(review, name) for name in ("Ada", "Ben", "Cleo")]
    assert all(p.queue()["progress"]["total"] < 60 for p in people)
    seen = [p.answer_all() for p in people]
    single = [item for part in seen for item in part if not review.items[item].shared]
    assert sorted(single) == sorted(i.item_id for i in items if not i.shared)
    assert all(10 <= len(part) - 20 <= 32 for part in seen)
    assert all(p.queue()["progress"]["others"] == 0 for p in people)


def test_whoever_joins_takes_a_part_and_moves_nothing_else(making: Making) -> None:
    items = [make_item(i, shared=False) for i in range(60)]
    review = making(items)
    everyone = ["a" * 16, "b" * 16]
    before = {who: items_of(review, who, everyone) for who in everyone}
    joined = [*everyone, "c" * 16]
    after = {who: items_of(review, who, joined) for who in joined}
    assert set.union(*after.values()) == set(originals(items))
    assert all(after[who] <= before[who] for who in everyone)
    assert all(12 <= len(part) <= 28 for part in after.values())


def items_of(review: Review, who: str, owners: list[str]) -> set[str]:
    return {turn.item.item_id for turn in review.queue.work(who, owners, owners).waiting}


def test_what_is_left_by_others_is_offered_and_taken_on_request(making: Making) -> None:
    items = [make_item(i, shared=False) for i in range(20)]
    review = making(items)
    ada = Browser(review, "Ada")
    gone = review.labels.add_annotator("Gone", "human")
    own = ada.answer_all()
    progress = ada.queue()["progress"]
    assert 0 < len(own) < 20
    assert (progress["done"], progress["others"]) == (len(own), 20 - len(own))
    theirs = [turn.item.item_id for turn in review.work(gone).waiting]
    more = ada.queue(more=True)
    assert [i["item_id"] for i in more["items"]] == theirs[::-1][:12]
    assert more["progress"]["total"] == 20
    ada.answer_all(more=True)
    assert review.work(gone).total == 0
    assert ada.queue()["progress"]["done"] == 20


def test_a_skipped_single_item_goes_to_someone_else(making: Making) -> None:
    items = [make_item(i, shared=False) for i in range(10)]
    review = making(items)
    ada, ben = Browser(review, "Ada"), Browser(review, "Ben")
    for one in items:
        assert sum(one.item_id in waiting(b) for b in (ada, ben)) == 1
    view = ada.queue()["items"][0]
    ada.answer(view, "skip")
    assert view["item_id"] not in waiting(ada)
    assert view["item_id"] in waiting(ben)


def waiting(browser: Browser) -> list[str]:
    return [item["item_id"] for item in browser.queue()["items"]]


def test_adjudicators_are_given_no_items_before_they_label(making: Making) -> None:
    review = making([make_item(i, shared=False) for i in range(8)], ("Judy",))
    assert len(waiting(Browser(review, "Ada"))) == 8
    judy = Browser(review, "Judy")
    assert waiting(judy) == []
    judy.answer(judy.queue(more=True)["items"][0], "a")
    assert len(waiting(judy)) > 0


def test_second_showings_come_last_and_only_of_what_was_labelled(making: Making) -> None:
    items = [make_item(i) for i in range(24)]
    plan = [*items[:2], again(items[1]), *items[2:], again(items[0]), again(items[3])]
    review = making(plan)
    browser = Browser(review)
    assert browser.queue()["progress"]["total"] == 27
    # The second item is answered before the first, so it is also shown again before it.
    views = browser.queue()["items"]
    browser.answer(views[1], "a")
    browser.answer(views[0], "b")
    browser.answer(views[3], "skip")
    order = browser.answer_all()
    assert order[-2:] == [again(items[1]).item_id, again(items[0]).item_id]
    assert again(items[3]).item_id not in order
    assert browser.queue()["progress"]["total"] == 26
    assert len(order) >= 20


def test_pace_is_the_median_of_recent_labels(making: Making) -> None:
    review = making([make_item(i) for i in range(4)])
    browser = Browser(review)
    for seconds, view in zip((5.0, 1000.0, 7.0), browser.queue()["items"], strict=False):
        done = browser.answer(view, "a", seconds=seconds)
    assert done.json()["progress"]["median_seconds"] == 7.0
