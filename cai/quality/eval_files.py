"""The texts of evaluation files, whatever their format."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import orjson

from cai.errors import InputError
from cai.intake.hh_rlhf import parse_dialogue
from cai.intake.lines import numbered_lines
from cai.intake.read import existing
from cai.quality.reading import parquet_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["eval_texts"]

_QUESTIONS = (
    *("prompt", "messages", "question", "instruction", "query", "problem", "input", "text"),
    *("goal", "behavior", "turns", "passage", "context", "ctx", "sentence"),
)
_ANSWERS = ("answer", "chosen", "rejected", "completion", "response", "output", "solution")


def eval_texts(path: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield place, text, and whether a short text counts, for all texts of an evaluation file.

    Questions count however short they are. Short answers ("Paris") and choices stand everywhere:
    they count from n words on, as do all texts of a row without a known key.

    Raises:
        InputError: the file cannot be read.
    """
    for number, row in _rows(path):
        place = f"{path.name}:{number}"
        if isinstance(row, str):
            yield place, row, True
            continue
        known = False
        for keys, short_counts in ((_QUESTIONS, True), (_ANSWERS, False)):
            for key in keys:
                for text, asked in _texts(row.get(key)):
                    known = True
                    yield place, text, short_counts and asked
        if not known:
            yield from ((place, text, False) for text, _ in _texts(list(row.values())))


def _rows(path: Path) -> Iterator[tuple[int, str | Mapping[str, Any]]]:
    name = existing(path).name.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        yield from enumerate(parquet_rows(path), 1)
    elif name.endswith((".csv", ".tsv")):
        lines = (line for _, line in numbered_lines(path))
        delimiter = "\t" if name.endswith(".tsv") else ","
        yield from enumerate(csv.DictReader(lines, delimiter=delimiter), 2)
    elif name.endswith((".jsonl", ".ndjson")):
        for number, line in numbered_lines(path):
            if line.strip():
                yield number, _json(line, path, number)
    elif name.endswith(".json"):
        whole = _json("".join(line for _, line in numbered_lines(path)), path, 1)
        yield from enumerate(whole if isinstance(whole, list) else [whole], 1)
    else:
        yield from ((number, line.strip()) for number, line in numbered_lines(path))


def _json(text: str, path: Path, number: int) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InputError(
            f"{path}:{number}: got no JSON ({error.msg}). Allowed: one whole JSON object per line "
            "(.jsonl), or one JSON document (.json). Mend it, or an item may be missed."
        ) from error
    if isinstance(value, dict | str | list):
        return value
    return {}


def _texts(value: Any) -> Iterator[tuple[str, bool]]:
    """All texts in a value, and whether each may be a question; system turns belong to no item."""
    if isinstance(value, str):
        turns = parse_dialogue(value)
        yield from ((t.content, t.role == "user") for t in turns) if turns else ((value, True),)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        role = value.get("role")
        if role == "system":
            return
        inner = value["content"] if "content" in value else list(value.values())
        yield from ((text, asked and role in (None, "user")) for text, asked in _texts(inner))
