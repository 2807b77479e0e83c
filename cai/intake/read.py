"""Prompts from a file, one at a time, whatever its format."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from cai.content import content_dir
from cai.errors import InputError, nearest
from cai.intake.csv_rows import read_csv
from cai.intake.hh_rlhf import is_hh_row, read_hh
from cai.intake.json_rows import json_rows, read_jsonl
from cai.intake.parquet_rows import read_parquet
from cai.intake.text_rows import read_txt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cai.records import Prompt

__all__ = ["PromptFormat", "locate", "read_prompts"]

PromptFormat = Literal["auto", "jsonl", "csv", "txt", "parquet", "hh-rlhf"]

_STARTER = "starter"
_READERS: dict[PromptFormat, Callable[[Path], Iterator[Prompt]]] = {
    "jsonl": read_jsonl,
    "csv": read_csv,
    "txt": read_txt,
    "parquet": read_parquet,
    "hh-rlhf": read_hh,
}
_SUFFIXES: dict[str, PromptFormat] = {
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".txt": "txt",
    ".parquet": "parquet",
}


def read_prompts(path: str | Path, format: PromptFormat = "auto") -> Iterator[Prompt]:
    """Yield the prompts of a file in order; a prompt that repeats is yielded again.

    Memory does not grow with the file. `Prompt.source` is `<file name>:<line>`, and for Parquet
    `<file name>:<row>`; both are counted from 1.

    Args:
        path: a file, or `starter` for the prompts that ship with the toolkit (a file of that name
            comes first). Text formats may be compressed with gzip.
        format: how to read it; `auto` goes by the file's name, and for JSONL by its first row.

    Raises:
        InputError: at once when the file is missing or its format unknown; on the way when the
            file is empty or one of its rows is broken.
    """
    found = locate(path)
    if format not in get_args(PromptFormat):
        raise InputError(
            f"Got the prompt format '{format}'. Allowed: {', '.join(get_args(PromptFormat))}."
            f"{nearest(format, get_args(PromptFormat))} Use 'auto' to go by the file's name."
        )
    return _filled(found, _READERS[_detected(found) if format == "auto" else format](found))


def locate(path: str | Path) -> Path:
    """The file that a path, or the word `starter`, means.

    Raises:
        InputError: there is no such file; the message lists files of similar names.
    """
    found = Path(path)
    if str(path) == _STARTER and not found.exists():
        found = content_dir("prompts") / _STARTER / f"{_STARTER}.jsonl"
    starter = f", or '{_STARTER}' for the prompts that ship with the toolkit"
    return existing(found, "prompt file", starter)


def existing(path: Path, what: str = "file", besides: str = "") -> Path:
    """The path itself, when it is a regular file.

    Args:
        path: of the file.
        what: its name in the message.
        besides: what else is allowed, for the message.

    Raises:
        InputError: there is no such file; the message lists files of similar names.
    """
    if path.is_file():
        return path
    if path.exists():
        raise InputError(
            f"Got {path} as the {what}, which is no regular file. "
            f"Allowed: one {what}. Name a file inside it."
        )
    raise InputError(
        f"The {what} {path} does not exist. Allowed: a file that exists{besides}. {_hint(path)}"
    )


def _hint(missing: Path) -> str:
    folder = missing.parent
    if not folder.is_dir():
        return f"The folder {folder} does not exist either; check the path."
    names = [entry.name for entry in sorted(folder.iterdir()) if entry.is_file()]
    close = get_close_matches(missing.name, names, n=3)
    if not close:
        return f"No file in {folder} has a similar name; check the path."
    return f"Similar names in {folder}: {', '.join(close)}."


def _detected(path: Path) -> PromptFormat:
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in _SUFFIXES:
        raise InputError(
            f"Cannot tell the format of {path.name} by its name. Allowed: "
            f"{', '.join(_SUFFIXES)}, and .gz after the text formats. "
            "Rename the file, or name its format (prompts.format)."
        )
    if suffix != ".jsonl":
        return _SUFFIXES[suffix]
    first = next(json_rows(path), None)
    return "hh-rlhf" if first and is_hh_row(first[1]) else "jsonl"


def _filled(path: Path, prompts: Iterator[Prompt]) -> Iterator[Prompt]:
    empty = True
    for prompt in prompts:
        empty = False
        yield prompt
    if empty:
        raise InputError(
            f"{path} holds no prompt. Allowed: at least one row. Add a prompt or name another file."
        )
