"""JSONL: one JSON object per line, with `prompt` or `messages`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from cai.intake.lines import numbered_lines
from cai.intake.rows import broken, prompt_of_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.intake.rows import Place
    from cai.records import Prompt

__all__ = ["json_rows", "read_jsonl"]

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_SURROGATE_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


def read_jsonl(path: Path) -> Iterator[Prompt]:
    """Yield the prompts of a JSONL file, plain or gzip.

    Raises:
        InputError: a line cannot be read.
    """
    for number, row in json_rows(path):
        yield prompt_of_row(row, (path, number))


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line numbers and objects; blank lines are skipped.

    Raises:
        InputError: a line is no JSON object.
    """
    for number, line in numbered_lines(path):
        if line.strip():
            yield number, _parsed(line, (path, number))


def _parsed(line: str, place: Place) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        lone = _SURROGATE_ESCAPE.search(_SURROGATE_PAIR.sub("", line))
        if lone:
            raise broken(
                place,
                f"half of a surrogate pair, {lone.group()}",
                "valid Unicode",
                "Write the whole character, or remove the half.",
            ) from error
        raise broken(
            place,
            f"{line.strip()[:60]!r} ({error.msg} at column {error.colno})",
            "one whole JSON object per line",
            "Mend the line; a file with one prompt per line of plain text is format 'txt'.",
        ) from error
    if not isinstance(row, dict):
        raise broken(
            place,
            f"{line.strip()[:60]!r}",
            "one JSON object per line, {...}",
            "Write each prompt as an object on its own line, without a list around them.",
        )
    return row
