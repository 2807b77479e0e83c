"""JSON files of labels: lists and lines of objects, and our own plain form of a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from cai.intake.json_rows import json_rows
from cai.intake.lines import numbered_lines
from cai.intake.rows import broken
from cai.validation.exchange.said import Said, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from cai.intake.rows import Place

__all__ = ["objects", "read_plain"]


def objects(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the objects of a JSON list, or of JSON lines; their places count from 1.

    Raises:
        InputError: the file is neither.
    """
    if not _is_list(path):
        for number, row in json_rows(path):
            yield (path, number), row
        return
    text = "".join(line for _, line in numbered_lines(path))
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise broken(
            (path, error.lineno),
            f"what is no JSON ({error.msg})",
            "a JSON list of objects, or one object per line",
            "Export the file again.",
        ) from error
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise broken(
                (path, number), f"{str(row)[:40]!r} in the list", "objects", "Export it again."
            )
        yield (path, number), row


def read_plain(rows: Iterable[tuple[Place, Mapping[str, Any]]]) -> Iterator[Said]:
    """Yield labels of the form `{"item_id": …, "annotator": …, "choice": "first"}`.

    Optional: confidence, principle, note, refuses, flagged, seconds, created (the time), and `key`
    where the choice is about A and B.
    """
    for place, row in rows:
        yield Said(
            place=place,
            item_id=str(row.get("item_id", "")),
            annotator=str(row.get("annotator") or ""),
            choice=word(row.get("choice")),
            key=str(row.get("key") or ""),
            confidence=word(row.get("confidence")),
            principle=str(row.get("principle") or ""),
            note=str(row.get("note") or ""),
            refuses=word(row.get("refuses")),
            flagged=row.get("flagged") is True,
            seconds=row.get("seconds"),
            made=row.get("created"),
        )


def _is_list(path: Path) -> bool:
    first = next((line.strip() for _, line in numbered_lines(path) if line.strip()), "")
    return first.startswith("[")
