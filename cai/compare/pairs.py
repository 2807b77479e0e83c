"""Compared answers of a run, an exported folder or a file, one at a time, in one common form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cai.errors import UsageError
from cai.formats.read import read_rows
from cai.formats.recognise import record_of_row
from cai.hashing import content_hash
from cai.records import Prompt
from cai.store import RunStore, rows_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.compare.things import Thing
    from cai.formats.records import Record
    from cai.records import Pair

__all__ = ["Label", "SeenPair", "SeenRow", "seen_rows"]

Label = Literal["first", "second", "tie", "none"]
"""`none`: no verdict, or set aside."""

_TABLES = ("preferences", "undecided")
_FOLDERS = ("", "dev")
_ENDS = ("jsonl", "parquet")


@dataclass(frozen=True, slots=True)
class SeenPair:
    """Two answers to a prompt, in the order of their texts, so that both sets have the same.

    `p` is the probability that the first is better, `slots` that of the answer shown first in each
    question to the judge. `revised` is the place of the revision, in pairs of one.
    """

    key: int
    label: Label
    p: float | None
    lengths: tuple[int, int]
    principles: tuple[str, ...] = ()
    slots: tuple[float, ...] = ()
    revised: Literal["first", "second", ""] = ""


@dataclass(frozen=True, slots=True)
class SeenRow:
    """A prompt with what was compared; rows of other kinds than comparisons have no pairs."""

    prompt: int
    kind: str
    tags: tuple[str, ...]
    pairs: tuple[SeenPair, ...] = ()


def seen_rows(thing: Thing) -> Iterator[SeenRow]:
    """All rows, one at a time; of a run all finished ones, which are counted and never shown.

    Raises:
        InputError: a file cannot be read.
        StoreError: a run cannot be read.
        UsageError: an exported folder has no file of comparisons.
    """
    if thing.form == "run":
        yield from _of_run(thing.path)
        return
    files = [thing.path] if thing.form == "file" else _exported(thing.path)
    for file in files:
        for number, row in read_rows(file):
            yield _of_record(record_of_row(row, (file, number)), row)


def _of_run(folder: Path) -> Iterator[SeenRow]:
    with RunStore.read(folder) as store, store.snapshot():
        for row, split in rows_for(store, "report"):
            prompt = int(row.prompt.id, 16)
            pairs = tuple(_of_pair(prompt, pair) for pair in row.pairs)
            yield SeenRow(prompt, split, row.prompt.tags, pairs)


def _of_pair(prompt: int, pair: Pair) -> SeenPair:
    label: Label = "none"
    if pair.is_preference and pair.soft_label is not None:
        label = _label(pair.soft_label)
    elif pair.verdict is not None and pair.verdict.outcome == "tie" and not pair.note:
        label = "tie"
    verdicts = pair.verdict.principles if pair.verdict else ()
    shown = [order.p_shown_first for verdict in verdicts for order in verdict.orders]
    return _seen(
        prompt,
        (pair.first, pair.second),
        label,
        pair.soft_label,
        tuple(dict.fromkeys(i for verdict in verdicts for i in verdict.principle_ids)),
        tuple(p for p in shown if p is not None),
        _revised(pair.kind, pair.first_name, pair.second_name),
    )


def _of_record(record: Record, row: dict[str, Any]) -> SeenRow:
    prompt = int(Prompt(record.prompt).id, 16)
    if record.kind != "pair":
        return SeenRow(prompt, record.kind, record.tags)
    first, second = record.answers
    label: Label
    if record.note:
        label = "tie" if row.get("outcome") == "tie" and not row.get("note") else "none"
    else:
        label = _label(1.0 if record.p is None else record.p)
    orders = [order for order in row.get("orders") or () if isinstance(order, dict)]
    names = [str(row.get(f"{a}_name") or row.get(f"{b}_name") or "") for a, b in _NAMES]
    pair = _seen(
        prompt,
        (first, second),
        label,
        # Without a p of the row's own, the choice is one, and no probability.
        record.p if row.get("p") is not None else None,
        tuple(map(str, row.get("principle_ids") or ())),
        tuple(p for one in orders if isinstance(p := one.get("p_shown_first"), float)),
        _revised(str(row.get("kind") or ""), *names),
    )
    return SeenRow(prompt, record.kind, record.tags, (pair,))


_NAMES = (("chosen", "first"), ("rejected", "second"))


def _seen(
    prompt: int,
    texts: tuple[str, str],
    label: Label,
    p: float | None,
    principles: tuple[str, ...],
    slots: tuple[float, ...],
    revised: Literal["first", "second", ""],
) -> SeenPair:
    one, other = texts
    lengths = len(one), len(other)
    if other < one:
        turned: dict[str, Any] = {"first": "second", "second": "first"}
        label, revised = turned.get(label, label), turned.get(revised, revised)
        p, lengths = None if p is None else 1.0 - p, lengths[::-1]
    key = int(content_hash([prompt, *sorted(texts)])[:16], 16)
    return SeenPair(key, label, p, lengths, principles, slots, revised)


def _label(p: float) -> Label:
    return "tie" if p == 0.5 else "first" if p > 0.5 else "second"


def _revised(kind: str, first: str, second: str) -> Literal["first", "second", ""]:
    if kind != "revision" or ("revision" in first) == ("revision" in second):
        return ""
    return "first" if "revision" in first else "second"


def _exported(folder: Path) -> list[Path]:
    """One file for each table of each split; JSONL where both forms are there."""
    found = []
    for inner in _FOLDERS:
        for table in _TABLES:
            paths = (folder / inner / f"{table}.{end}" for end in _ENDS)
            found += [path for path in paths if path.is_file()][:1]
    if not found:
        raise UsageError(
            f"{folder} has no comparisons. Allowed: an exported folder with preferences.jsonl or "
            "preferences.parquet. Name a file inside it."
        )
    return found
