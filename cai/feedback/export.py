"""The files of a folder of feedback: what may be trained on, and what waits for people.

They are a projection of the store, written beside the old ones and then put in their places.
Held-out rows are in none of them.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import orjson

from cai.errors import StoreError
from cai.feedback.account import account
from cai.feedback.card import render_card, training_config
from cai.feedback.record import Stored
from cai.formats.writing import answer, messages
from cai.hashing import short_id
from cai.records import load
from cai.store.export_files import ExportedFile, JsonlFile, facts_of
from cai.store.export_folder import KIND, put_in_place, working_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cai.store import RunStore

    Records = Iterator[dict[str, Any]]

__all__ = ["export_feedback"]

_KNOWN = frozenset({"dev", "kto.jsonl", "preferences.jsonl", "queue.jsonl", "kto.yaml", "dpo.yaml"})
_METHODS: tuple[Literal["kto", "dpo"], ...] = ("kto", "dpo")
_SPLIT = "feedback JOIN prompts USING (prompt_id) JOIN groups USING (group_id)"


def export_feedback(store: RunStore, folder: Path) -> tuple[ExportedFile, ...]:
    """Write all files; the same state gives the same bytes. Memory does not grow with the rows.

    Args:
        store: with sorted rows.
        folder: where to; may hold an earlier export and nothing else.

    Raises:
        StoreError: the folder holds something else or cannot be written.
    """
    try:
        with working_folder(folder, _KNOWN) as working, store.snapshot():
            files = _write_all(store, working)
            put_in_place(working, folder, [*(file.name for file in files), "manifest.json"])
    except OSError as error:
        raise StoreError(
            f"Cannot write to {folder}: {error.strerror or error}. Free some space or check the "
            "permissions; what was imported is untouched."
        ) from error
    return files


def _write_all(store: RunStore, working: Path) -> tuple[ExportedFile, ...]:
    tables: list[tuple[str, Callable[[], Records]]] = [("queue.jsonl", partial(_queue, store))]
    for prefix, split in (("", "train"), ("dev/", "dev")):
        (working / prefix).mkdir(exist_ok=True)
        tables.append((f"{prefix}kto.jsonl", partial(_labels, store, split)))
        tables.append((f"{prefix}preferences.jsonl", partial(_edits, store, split)))
    files = [_table(working, name, records()) for name, records in sorted(tables)]
    facts = account(store)
    rows = {file.name: file.rows or 0 for file in files}
    for method in _METHODS:
        name, text = f"{method}.yaml", training_config(method, facts, rows)
        if text:
            (working / name).write_text(text, encoding="utf-8", newline="\n")
            files.append(facts_of(working / name, name, None))
    manifest: dict[str, Any] = {"kind": KIND, "of": "feedback", **facts}
    manifest["files"] = [asdict(file) for file in files]
    card = working / "README.md"
    card.write_text(render_card(manifest), encoding="utf-8", newline="\n")
    files.append(facts_of(card, card.name, None))
    manifest["files"] = [asdict(file) for file in files]
    option = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    (working / "manifest.json").write_bytes(orjson.dumps(manifest, option=option))
    return tuple(files)


def _table(working: Path, name: str, records: Records) -> ExportedFile:
    file = JsonlFile(working / name)
    try:
        for record in records:
            file.write(record)
    finally:
        file.close()
    return facts_of(working / name, name, file.rows)


def _labels(store: RunStore, split: str) -> Records:
    """TRL's unpaired preference format, as `cai.formats.pairs.write_kto` writes it.

    Each answer is there once, however many liked it; what people decided comes before votes.
    """
    for record, up, down, decided in store.select(
        "SELECT min(feedback.record), "
        "sum(fate IN ('train', 'dev') AND value = 'up'), "
        "sum(fate IN ('train', 'dev') AND value = 'down'), "
        "max(CASE why WHEN 'people: good' THEN 2 WHEN 'people: bad' THEN 1 ELSE 0 END) "
        f"FROM {_SPLIT} WHERE split = ? AND kind != 'edit' AND "
        "(fate IN ('train', 'dev') OR why IN ('people: good', 'people: bad')) "
        "GROUP BY answer_id ORDER BY answer_id",
        split,
    ):
        kept = load(Stored, record)
        yield {
            "prompt": messages(kept.prompt),
            "completion": answer(kept.answer),
            "label": decided == 2 if decided else up > 0,
            "id": short_id([kept.prompt.id, "label", kept.answer]),
            "prompt_id": kept.prompt.id,
            "source": "human",
            "by": "review" if decided else "thumbs",
            "up": up,
            "down": down,
            "model": kept.model,
        }


def _edits(store: RunStore, split: str) -> Records:
    """TRL's preference format: the edit against the answer. Thumbs are never part of it."""
    for record, people in store.select(
        f"SELECT min(feedback.record), count(*) FROM {_SPLIT} "
        "WHERE split = ? AND kind = 'edit' AND "
        "(fate IN ('train', 'dev') OR why = 'people: the edit is better') "
        "GROUP BY answer_id, edit_id ORDER BY answer_id, edit_id",
        split,
    ):
        kept = load(Stored, record)
        yield {
            "prompt": messages(kept.prompt),
            "chosen": answer(kept.value),
            "rejected": answer(kept.answer),
            "id": short_id([kept.prompt.id, "edit", kept.value, kept.answer]),
            "prompt_id": kept.prompt.id,
            "source": "human",
            "kind": "edit",
            "people": people,
            "model": kept.model,
        }


def _queue(store: RunStore) -> Records:
    """Everything that waits for people, also what is not shown on the review page."""
    for record, kind, why, personal, p, judged in store.select(
        "SELECT record, f.kind, f.why, f.personal, j.p, j.why FROM feedback f "
        "LEFT JOIN feedback_judged j ON j.answer_id = f.answer_id AND j.conflict "
        "AND f.why = 'the constitution disagrees' WHERE fate = 'queue' ORDER BY draw, row_id"
    ):
        kept = load(Stored, record)
        yield {
            "prompt": messages(kept.prompt),
            "answer": kept.answer,
            "kind": kind,
            "value": kept.value,
            "note": kept.note,
            "why": why,
            "personal": personal,
            "judge_p": p,
            "broken": judged or "",
            "model": kept.model,
            "time": kept.time,
            "prompt_id": kept.prompt.id,
        }
