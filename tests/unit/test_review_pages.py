"""Pages, the practice file, disputes and the dashboard."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cai.errors import ConfigError
from cai.store import RunStore
from cai.validation.review import dashboard
from cai.validation.review.practice import packaged_practice, read_practice
from cai.validation.review.run import Review
from tests.unit.review_helpers import CONSTITUTION, Browser, make_item, make_run, preferring

PRACTICE = """
format: 1
pairs:
  - {id: one, prompt: Q, first: A, second: B, answer: first, why: Because.}
"""
STATIC = Path(dashboard.__file__).with_name("static")
TEMPLATES = STATIC.with_name("templates")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with make_run(tmp_path / "run", [make_item(i) for i in range(8)], ask_refusals=True) as store:
        yield store


@pytest.fixture
def review(store: RunStore) -> Review:
    return Review(store, adjudicators=["Judy"])


def answer_as(browser: Browser, words: list[str]) -> None:
    """Prefer the answers that have these words, or say what else the words are."""
    for word, view in zip(words, browser.queue()["items"], strict=False):
        plain = word in ("tie", "both_bad", "skip")
        browser.answer(view, word if plain else preferring(view, word), note=f"says {word}")


def test_the_guideline_is_the_constitution_and_is_escaped(review: Review) -> None:
    page = Browser(review).get("/guideline").text
    assert "kind@1.0.0" in page and "Be kind &amp; clear." in page
    assert "Principle &lt;1&gt;." in page and "<1>" not in page
    assert "Which is kinder (2)?" in page and "Both bad" in page and "<kbd>U</kbd>" in page


def test_hostile_constitutions_and_names_stay_text(store: RunStore) -> None:
    text = "</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
    principle = {"id": "x.y", "text": text, "judge": text}
    changed = {**CONSTITUTION, "summary": text, "name": text, "principles": [principle]}
    store.set_meta(constitution=changed)
    browser = Browser(Review(store), name="<b>Ada</b>")
    for path in ("/guideline", "/label", "/dashboard"):
        page = browser.get(path).text
        assert "<img src=x" not in page and "<b>Ada" not in page and "49" not in page
        assert "&lt;img src=x" in page


def test_pages_hold_no_code_and_load_nothing_from_elsewhere() -> None:
    for path in [*TEMPLATES.glob("*.html"), *STATIC.glob("*")]:
        text = path.read_text(encoding="utf-8")
        assert "innerHTML" not in text and "insertAdjacentHTML" not in text
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text)
        if path.suffix == ".html":
            assert not re.search(r"<script(?![^>]*src=)", text)
            assert not re.search(r"""\s(?:on\w+|style)=["']""", text)
            assert "| safe" not in text


def test_refusals_are_asked_only_where_the_plan_says_so(review: Review, tmp_path: Path) -> None:
    assert "A refuses" in Browser(review).get("/label").text
    assert "A refuses" not in Browser(review, "Judy").get("/adjudicate").text
    with make_run(tmp_path / "other", [make_item(1)]) as store:
        assert "A refuses" not in Browser(Review(store)).get("/label").text


def test_only_adjudicators_settle_disputes(review: Review) -> None:
    ada, judy = Browser(review), Browser(review, "Judy")
    view = ada.queue()["items"][0]
    for path in ("/adjudicate", "/api/queue?role=adjudicate"):
        assert ada.get(path).status_code == 403
        assert judy.get(path).status_code == 200
    assert ada.get(f"/api/items/adjudicate/{view['item_id']}").status_code == 403
    assert ada.answer({**view, "role": "adjudicate"}, "a").status_code == 403
    assert Browser(review, name=None).get("/adjudicate").headers["location"] == "/"
    assert judy.get("/").headers["location"] == "/adjudicate"


def test_disputes_show_all_sides_and_no_names(review: Review) -> None:
    ada, ben, judy = (Browser(review, name) for name in ("Ada", "Ben", "Judy"))
    answer_as(ada, ["Draft", "Draft", "tie", "skip", "tie"])
    answer_as(ben, ["Draft", "Better", "both_bad", "Better", "Draft"])
    found = judy.queue("adjudicate")
    assert [i["item_id"] for i in found["items"]] == [review.originals[n].item_id for n in (1, 4)]
    view = found["items"][0]
    sides = {label["note"]: label["choice"] for label in view["labels"]}
    assert sides == {
        "says Draft": preferring(view, "Draft"),
        "says Better": preferring(view, "Better"),
    }
    assert "Ada" not in judy.get("/api/queue?role=adjudicate").text
    done = judy.answer(view, preferring(view, "Better")).json()
    assert (done["progress"]["done"], done["progress"]["total"]) == (1, 2)
    assert judy.queue("adjudicate")["history"] == [
        {"role": "adjudicate", "item_id": view["item_id"]}
    ]
    (settled,) = review.labels.current("adjudicate").values()
    assert settled.annotation.choice == "second"
    judy.answer(view, None)
    assert judy.queue("adjudicate")["progress"]["done"] == 0


def test_the_dashboard_counts_and_measures(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "_REST_S", -1.0)
    review.labels.add_annotator("Bot", "model")
    ada, ben = Browser(review), Browser(review, "Ben")
    empty = ada.get("/api/dashboard").json()
    assert empty["agreement"] == {"pairable": 0, "percent": None, "alpha": None, "cohen": None}
    answer_as(ada, ["Draft", "Better"] * 4)
    answer_as(ben, ["Draft", "Better", "Draft", "Better", "Better", "tie", "skip"])
    data = ada.get("/api/dashboard").json()
    assert data["items"] == {"labelled": 8, "total": 8}
    assert data["disputes"] == {"open": 2, "settled": 0}
    assert data["agreement"]["pairable"] == 6
    estimate, low, high = data["agreement"]["percent"]
    assert estimate == pytest.approx(4 / 6) and low <= estimate <= high
    assert [(p["name"], p["done"], p["total"]) for p in data["annotators"]] == [
        ("Judy", 0, 8),
        ("Ada", 8, 8),
        ("Ben", 7, 8),
    ]
    choices = data["choices"]
    assert (choices["tie"], choices["skip"], choices["a"] + choices["b"]) == (1, 1, 13)
    assert data["principles"] == []


def test_agreement_by_principle_needs_enough_pairs(review: Review) -> None:
    for name in ("Ada", "Ben"):
        browser = Browser(review, name)
        for number, view in enumerate(browser.queue()["items"]):
            side = preferring(view, "Draft" if number % 2 else "Better")
            browser.answer(view, side, principle_id="kind.p1" if number < 6 else "kind.p2")
    (found,) = Browser(review).get("/api/dashboard").json()["principles"]
    assert (found["id"], found["pairable"], found["percent"][0]) == ("kind.p1", 6, 1.0)


def test_the_packaged_practice_round() -> None:
    items = read_practice(packaged_practice())
    assert len(items) == 6 == len({item.item_id for item in items})
    assert {item.known for item in items} == {"first", "second", "tie", "both_bad"}
    for item in items:
        assert not re.search(r"\b(A|B|first|second|left|right)\b answer", item.why)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("why:", "wyh:", "unknown key 'pairs.0.wyh'.*Did you mean 'why'"),
        ("answer: first", "answer: A", "line 4: 'pairs.0.answer'"),
        ("format: 1", "format: 2", "'format'"),
        ("prompt: Q, ", "", "'pairs.0.prompt' is missing"),
        ("pairs:", "pears:", "unknown key 'pears'"),
        ("id: one", "id: One!", "'pairs.0.id'"),
    ],
)
def test_mistakes_in_a_practice_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "practice.yaml"
    path.write_text(PRACTICE.replace(old, new))
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        read_practice(path)


def test_practice_names_are_unique(tmp_path: Path) -> None:
    path = tmp_path / "practice.yaml"
    path.write_text(PRACTICE + PRACTICE.strip().splitlines()[-1] + "\n")
    with pytest.raises(ConfigError, match="'one' is used twice"):
        read_practice(path)
    with pytest.raises(ConfigError, match="No such file"):
        read_practice(tmp_path / "none.yaml")
