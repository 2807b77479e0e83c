"""A run with a sampling plan, and a browser's way of talking to its review."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from cai.records import Message, Pair, Prompt, Verdict
from cai.store import RunStore
from cai.validation import Item, Labels, SamplingPlan, Stratum
from cai.validation.records import item_id
from cai.validation.review.app import create_app
from cai.validation.review.run import Review

ORIGIN = "http://127.0.0.1:8765"
POST = {"origin": ORIGIN, "x-cai-review": "1", "content-type": "application/json"}
HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
CONSTITUTION: Mapping[str, Any] = {
    "name": "kind",
    "version": "1.0.0",
    "hash": "c" * 64,
    "summary": "Be kind & clear.",
    "principles": [
        {"id": f"kind.p{i}", "text": f"Principle <{i}>.", "judge": f"Which is kinder ({i})?"}
        for i in (1, 2)
    ],
}


def make_item(number: int, *, shared: bool = True, first: str = "", second: str = "") -> Item:
    prompt = Prompt((Message("user", f"Question {number}?"),))
    pair = Pair(
        *(prompt.id, "revision", first or f"Draft {number}.", second or f"Better {number}."),
        *("secret-first-name", "secret-second-name"),
        Verdict("second", (), 0.123456789),
    )
    return Item(item_id(pair.id), prompt, pair, prompt.id, "secret-stratum", 0.5, shared)


def again(item: Item) -> Item:
    return replace(item, item_id=item_id(item.pair.id, repeat=True), repeat=True)


def make_run(folder: Path, items: Sequence[Item], **changes: Any) -> RunStore:
    """A run that is open for writing."""
    values: dict[str, Any] = {
        "run_plan": "plan-1",
        "seed": 7,
        "strata": (Stratum("all", 100, max(1, len(items))),),
        "groups": len(items),
        "annotators": 2,
        "overlap": 1.0,
        "repeats": 0.0,
        "ask_refusals": False,
        "goal": "A test",
    }
    store = RunStore.open(folder, durable=False)
    store.set_meta(constitution=CONSTITUTION, plan="plan-1", epoch=0)
    Labels(store).put_plan(SamplingPlan(**{**values, **changes}), items)
    return store


class Browser:
    """Speaks to the review as its pages do."""

    def __init__(self, review: Review, name: str | None = "Ada", hosts: Any = HOSTS) -> None:
        self.review = review
        self.client = TestClient(create_app(review, hosts), base_url=ORIGIN, follow_redirects=False)
        self.name = name
        if name is not None:
            assert self.post("/api/sign-in", {"name": name}).status_code == 200

    def post(self, path: str, body: Any, **headers: str) -> Any:
        return self.client.post(path, json=body, headers={**POST, **headers})

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=headers)

    def queue(self, role: str = "label", more: bool = False) -> Any:
        return self.get(f"/api/queue?role={role}&more={int(more)}").json()

    def answer(self, view: Mapping[str, Any], choice: str | None, **more: Any) -> Any:
        return self.post("/api/actions", {"actions": [action(view, choice, **more)]})

    def answer_all(self, choice: str = "tie", more: bool = False) -> list[str]:
        """Answer until nothing is left; returns the items in the order in which they came."""
        seen = []
        while items := self.queue(more=more)["items"]:
            seen.append(items[0]["item_id"])
            assert self.answer(items[0], choice).status_code == 200
        return seen


def action(view: Mapping[str, Any], choice: str | None, **more: Any) -> dict[str, Any]:
    named = {key: view[key] for key in ("item_id", "role", "ticket")}
    return {"action_id": str(uuid.uuid4()), **named, "choice": choice, **more}


def preferring(view: Mapping[str, Any], word: str) -> str:
    """The side whose text has this word."""
    return "a" if word in view["a"]["text"] else "b"


def originals(items: Iterable[Item]) -> list[str]:
    return [item.item_id for item in items if not item.repeat]
