"""The rows of a file: JSON lines, one JSON list, or a task of BIG-bench; plain or gzip."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

from cai.errors import InputError
from cai.intake.json_rows import json_rows
from cai.intake.lines import numbered_lines
from cai.intake.rows import broken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["labelled_rows"]


def labelled_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file with their number: of the line, or in the list.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    if not path.is_file():
        raise InputError(f"Got {path}, which is no file. Name a file of comparisons.")
    if not _is_document(path):
        yield from json_rows(path)
        return
    rows = _document(path)
    for number, row in enumerate(rows["examples"] if _is_task(rows) else rows, 1):
        if not isinstance(row, dict):
            raise broken(
                (path, number),
                f"{str(row)[:60]!r} in the list",
                "one JSON object per comparison",
                "Remove it, or write it as an object.",
            )
        yield number, row


def _is_document(path: Path) -> bool:
    """Whether the file is one list, or one object with `examples`; else it is JSON lines."""
    start = next((line.strip() for _, line in numbered_lines(path) if line.strip()), "")
    if not start.startswith("{"):
        return start.startswith("[")
    try:
        return _is_task(orjson.loads(start))
    except orjson.JSONDecodeError:
        # The first line of an object over many lines, or a broken row, which has its own error.
        try:
            return _is_task(json.loads(_text(path)))
        except json.JSONDecodeError:
            return False


def _is_task(value: Any) -> bool:
    """A task of BIG-bench: facts about it, and `examples`."""
    return isinstance(value, dict) and isinstance(value.get("examples"), list)


def _document(path: Path) -> Any:
    try:
        # Not orjson: published files hold NaN where a field is empty.
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise broken(
            (path, error.lineno),
            f"broken JSON ({error.msg} at column {error.colno})",
            "one whole JSON list",
            "Mend it, or write one object per line.",
        ) from error


def _text(path: Path) -> str:
    return "".join(line for _, line in numbered_lines(path))
