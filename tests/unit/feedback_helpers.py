"""Rows of feedback, files of them, and what an import has made of them."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from cai.feedback import Imported, import_feedback
from cai.store import RunStore
from cai.store.groups import split_of

TIME = "2026-10-05T08:00:00Z"


def thumbs(prompt: str, answer: str, value: str = "up", user: str = "ada", **more: Any) -> Any:
    return _row("thumbs", prompt, answer, user, value=value, **more)


def edit(prompt: str, answer: str, edited: str, user: str = "ada", **more: Any) -> Any:
    return _row("edit", prompt, answer, user, edited=edited, **more)


def report(prompt: str, answer: str, category: str = "harmful", user: str = "ada", **m: Any) -> Any:
    return _row("report", prompt, answer, user, category=category, **{"note": "Look.", **m})


def _row(kind: str, prompt: str, answer: str, user: str, **more: Any) -> dict[str, Any]:
    row = {"kind": kind, "prompt": prompt, "answer": answer, "time": TIME, "user": user}
    return {**row, "session": f"session of {user}", "model": "m-1", **more}


def write(path: Path, rows: Iterable[Any]) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def taken(folder: Path, rows: Iterable[Any], **settings: Any) -> Imported:
    """Import rows into `folder/out`."""
    path = write(folder / "rows.jsonl", rows)
    return import_feedback([path], folder / "out", settings=settings)


def fates(folder: Path) -> Counter[tuple[str, str, str]]:
    """How many rows have which fate, reason and kind."""
    with RunStore.read(folder) as store:
        return Counter(store.select("SELECT fate, why, kind FROM feedback"))


def table(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "export" / name).read_text().splitlines()]


def exported(folder: Path) -> dict[str, bytes]:
    """Every file of the export by its name."""
    export = folder / "export"
    return {
        str(p.relative_to(export)): p.read_bytes() for p in sorted(export.rglob("*")) if p.is_file()
    }


def asked(split: str, count: int, about: str = "") -> list[str]:
    """Prompts of a split that resemble each other so little that each is a group of its own."""
    from cai.records import Message, Prompt

    found, number = [], 0
    while len(found) < count:
        words = " ".join(f"{about}w{(number * 7919 + i * 104729) % 99991}" for i in range(8))
        if split_of(Prompt((Message("user", words),)).id, 0.1, 0.1, 0) == split:
            found.append(words)
        number += 1
    return found


@pytest.fixture
def quick_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for the disk, which tests cannot pull the plug of."""
    opened = RunStore.open.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(
        RunStore, "open", classmethod(lambda cls, folder, **_: opened(cls, folder, durable=False))
    )
