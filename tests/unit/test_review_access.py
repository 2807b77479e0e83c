"""Who gets in: names, personal links, tokens, and the secret behind them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cai.errors import StoreError
from cai.store import RunStore
from cai.validation import Annotator, Labels
from cai.validation.review.keys import Keys
from cai.validation.review.run import Review
from tests.unit.review_helpers import Browser, make_item, make_run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with make_run(tmp_path / "run", [make_item(i) for i in range(3)]) as store:
        yield store


@pytest.fixture
def review(store: RunStore) -> Review:
    return Review(store)


@pytest.fixture
def opened(store: RunStore) -> Review:
    """One that others can reach."""
    return Review(store, open_to_all=False)


def test_a_name_is_enough_on_this_machine(review: Review) -> None:
    browser = Browser(review, name=None)
    assert "Your name" in browser.get("/").text
    assert browser.get("/label").headers["location"] == "/"
    assert browser.get("/api/queue").status_code == 401
    done = browser.post("/api/sign-in", {"name": "  Ada   Lovelace "})
    assert done.json() == {"go": "/label"}
    cookie = done.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert browser.get("/").headers["location"] == "/label"
    assert [a.name for a in review.peers()] == ["Ada Lovelace"]
    browser.post("/api/sign-out", {})
    assert browser.get("/api/queue").status_code == 401


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b"])
def test_names_that_cannot_be_used(review: Review, name: str) -> None:
    done = Browser(review, name=None).post("/api/sign-in", {"name": name})
    assert done.status_code == 422
    assert "annotator's name" in done.json()["error"]


def test_a_personal_link_signs_in_and_outlives_the_server(review: Review, store: RunStore) -> None:
    ada = review.labels.add_annotator("Ada", "human")
    link = f"/a/{review.keys.link(ada)}"
    browser = Browser(Review(store), name=None)
    page = browser.get(link)
    assert page.status_code == 200 and 'content="0; url=/label"' in page.text
    assert browser.get("/api/queue").status_code == 200
    assert browser.get(link[:-1]).status_code == 403
    assert browser.get("/a/é").status_code == 403


def test_a_link_of_another_kind_is_refused(store: RunStore) -> None:
    model = Labels(store).add_annotator("Bot", "model")
    review = Review(store)
    answer = Browser(review, name=None).get(f"/a/{review.keys.link(model)}")
    assert answer.status_code == 403 and "--kind model" in answer.text
    taken = Browser(review, name=None).post("/api/sign-in", {"name": "Bot"})
    assert taken.status_code == 422 and "is model in this run" in taken.json()["error"]


def test_keys_are_nobodys_by_chance(review: Review) -> None:
    ada, ben = Annotator("Ada", "human"), Annotator("Ben", "human")
    keys = review.keys
    made = {keys.token, keys.link(ada), keys.link(ben), keys.cookie(ada), keys.cookie_name}
    assert len(made) == 5
    forged = keys.cookie(ben).replace(ben.id, ada.id)
    assert keys.signed_in(forged, [ada, ben]) is None
    assert keys.signed_in(keys.cookie(ben), [ada, ben]) == ben


def test_the_secret_is_for_the_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        first = Keys.of(tmp_path)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "review.key").stat().st_mode) == 0o600
    assert Keys.of(tmp_path).token == first.token
    (tmp_path / "review.key").write_text("cut sh")
    with pytest.raises(StoreError, match=r"review\.key is damaged.*Delete it"):
        Keys.of(tmp_path)


def test_others_need_the_token_and_cannot_take_a_name(opened: Review) -> None:
    browser = Browser(opened, name=None)
    for path in ("/", "/dashboard", "/guideline", "/api/dashboard", "/?token=wrong"):
        assert browser.get(path).status_code == 403, path
    token = opened.keys.token
    assert "Your name" in browser.get(f"/?token={token}").text
    assert browser.get("/api/dashboard", **{"x-cai-token": token}).status_code == 200
    assert browser.post("/api/sign-in", {"name": "Ada"}).status_code == 403
    wrong = {"name": "Ada", "token": token + "x"}
    assert browser.post("/api/sign-in", wrong).status_code == 403
    assert browser.post("/api/sign-in", {"name": "Ada", "token": token}).status_code == 200
    assert browser.get("/dashboard").status_code == 200
    zoe = {"name": "Zo\u00eb", "token": token}
    assert browser.post("/api/sign-in", zoe).status_code == 200
    for name in ("Ada", " Ada ", "Zo\u00eb", "Zoe\u0308"):
        other = Browser(opened, name=None).post("/api/sign-in", {"name": name, "token": token})
        assert other.status_code == 403 and "personal link" in other.json()["error"]


def test_errors_tell_neither_keys_nor_tokens(opened: Review) -> None:
    browser = Browser(opened, name=None)
    for secret in (opened.keys.token, "k" + "A" * 43):
        for path in (f"/a/{secret}", f"/none?token={secret}", f"/a/{secret}/more"):
            answer = browser.get(path)
            assert answer.status_code in (403, 404)
            assert secret not in answer.text
