"""What is refused before anything looks at it: hosts, other sites, bodies; and what fails."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cai.errors import StoreError, UsageError
from cai.store import RunStore
from cai.validation.review.run import Review
from cai.validation.review.security import BODY, host_names, is_loopback
from tests.unit.review_helpers import HOSTS, POST, Browser, action, make_item, make_run


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


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8765", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8765", 200),
        ("evil.example", 421),
        ("evil.example:8765", 421),
        ("127.0.0.1.evil.example", 421),
        ("10.0.0.1:8765", 421),
        ("", 421),
        ("a:b:c", 421),
    ],
)
def test_only_known_host_names_are_answered(review: Review, host: str, status: int) -> None:
    assert Browser(review, name=None).get("/", host=host).status_code == status


def test_addresses_are_known_hosts_where_others_can_reach(opened: Review) -> None:
    browser = Browser(opened, name=None)
    assert browser.get("/static/icon.svg", host="10.0.0.1:8765").status_code == 200
    assert browser.get("/static/icon.svg", host="evil.example").status_code == 421


def test_host_names() -> None:
    assert host_names("localhost") == HOSTS
    assert host_names("127.0.0.2") == HOSTS | {"127.0.0.2"}
    assert host_names("my-host") > HOSTS
    assert is_loopback("::1") and not is_loopback("0.0.0.0") and not is_loopback("my-host")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": None, "sec-fetch-site": "same-origin"}, 200),
        ({"origin": None}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"x-cai-review": None}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_other_sites_cannot_act(review: Review, changes: dict[str, Any], status: int) -> None:
    headers = {k: v for k, v in {**POST, **changes}.items() if v is not None}
    client = Browser(review, name=None).client
    done = client.post("/api/sign-in", content=b'{"name": "Ada"}', headers=headers)
    assert done.status_code == status
    assert len(review.peers()) == (status == 200)


def test_looking_changes_nothing(review: Review) -> None:
    browser = Browser(review)
    before = review.ledger.number
    for path in ("/api/actions", "/api/sign-in", "/api/sign-out"):
        assert browser.get(path).status_code == 405
    for path in ("/", "/label", "/guideline", "/dashboard", "/api/queue", "/api/dashboard"):
        browser.get(path)
    assert review.ledger.number == before
    assert browser.get("/api/queue").status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/label", "/api/queue", "/none", "/static/label.js", "/api/none"]
)
def test_every_answer_is_guarded(review: Review, path: str) -> None:
    headers = Browser(review).get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("no-cache" if "static" in path else "no-store")


def test_bodies_are_limited_and_checked(review: Review) -> None:
    browser = Browser(review)
    view = browser.queue()["items"][0]

    def send(content: bytes) -> tuple[int, str]:
        done = browser.client.post("/api/actions", content=content, headers=POST)
        return done.status_code, done.json()["error"]

    assert send(b" " * (BODY + 1))[0] == 413
    assert send(b"{")[0] == 400
    assert send(b"[]")[0] == 422
    status, problem = send(b'{"actions": [], "more": 1}')
    assert status == 422 and "unknown key 'more'" in problem
    cases = [
        ({"note": "x" * 4001}, "note"),
        ({"confidence": 4}, "confidence"),
        ({"seconds": -1}, "seconds"),
        ({"chioce": "a"}, "Did you mean 'choice'"),
        ({"flagged": "yes"}, "flagged"),
        ({"action_id": "../../etc"}, "action_id"),
        ({"principle_id": "kind.p3"}, "no such principle"),
    ]
    for change, words in cases:
        done = browser.post("/api/actions", {"actions": [{**action(view, "a"), **change}]})
        assert done.status_code == 422 and words in done.json()["error"], change
    assert browser.answer(view, "first").status_code == 422
    assert review.ledger.number == 0
    assert browser.answer(view, "a", note="x" * 4000).status_code == 200


def test_nobody_answers_for_someone_else(review: Review) -> None:
    ada, ben = Browser(review), Browser(review, "Ben")
    view = ada.queue()["items"][0]
    assert ben.answer(view, "a").status_code == 409
    assert (
        ada.answer({**view, "item_id": ada.queue()["items"][1]["item_id"]}, "a").status_code == 409
    )
    assert ada.answer({**view, "role": "practice"}, "a").status_code == 409
    assert Browser(review, name=None).answer(view, "a").status_code == 401
    assert review.ledger.number == 0


def test_a_store_that_cannot_write_is_asked_again(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(review)
    view = browser.queue()["items"][0]

    async def full(actions: object) -> int:
        raise StoreError("No space left on the disk.")

    monkeypatch.setattr(review.labels, "act_soon", full)
    done = browser.answer(view, "a")
    assert done.status_code == 503 and "No space left" in done.json()["error"]
    monkeypatch.undo()
    assert browser.answer(view, "a").status_code == 200


def test_a_mistake_of_the_server_tells_nothing(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(review)
    monkeypatch.setattr(review, "work", None)
    with pytest.raises(TypeError):
        browser.get("/api/queue")
    browser.client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    answer = browser.get("/api/queue")
    assert answer.status_code == 500 and "NoneType" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_a_review_needs_a_plan_and_a_constitution(tmp_path: Path) -> None:
    bare = RunStore.open(tmp_path / "bare", durable=False)
    with bare, pytest.raises(UsageError, match="cai validate plan"):
        Review(bare)
    with make_run(tmp_path / "run", [make_item(1)]) as store:
        store.set_meta(constitution=None)
        with pytest.raises(UsageError, match="names no constitution"):
            Review(store)
