"""Files of comparisons: which format they are in, and their rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, get_args

from cai.errors import InputError, nearest
from cai.intake.hh_rlhf import is_hh_row
from cai.intake.rows import broken
from cai.validation.exchange.published.benchmarks import hhh, llmbar, pandalm
from cai.validation.exchange.published.comparison import Comparison, Published
from cai.validation.exchange.published.documents import labelled_rows
from cai.validation.exchange.published.rows import FORM, dialogues, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from cai.intake.rows import Place
    from cai.validation.records import AnnotatorKind

    Reader = Callable[[dict[str, Any], Place], Comparison | str]

__all__ = [
    "FORMATS",
    "PairFormat",
    "compared_rows",
    "format_of",
    "labelled_rows",
    "read_comparisons",
]

PairFormat = Literal["auto", "hh-rlhf", "llmbar", "hhh", "pandalm", "jsonl"]
FORMATS: tuple[PairFormat, ...] = get_args(PairFormat)

_READERS: Mapping[str, Reader] = {
    "hh-rlhf": dialogues,
    "llmbar": llmbar,
    "hhh": hhh,
    "pandalm": pandalm,
    "jsonl": plain,
}


def read_comparisons(path: Path, kind: AnnotatorKind, format: PairFormat = "auto") -> Published:
    """Read a file of comparisons: JSON lines, one JSON list, or a task of BIG-bench; also gzip.

    The whole file is held in memory.

    Args:
        path: the file.
        kind: of whoever chose. A file of this toolkit's AI labels is no file of people's choices.
        format: how rows are read; `auto` goes by the keys of the first one.

    Raises:
        InputError: the file cannot be read, or holds no comparison.
    """
    found: dict[str, Comparison] = {}
    left_out: Counter[str] = Counter()
    read, name = 0, ""
    for used, _, one in compared_rows(path, kind, format):
        read, name = read + 1, used
        if isinstance(one, str):
            left_out[one] += 1
        elif one.prompt.id in found:
            left_out["the prompt was there before"] += 1
        else:
            found[one.prompt.id] = one
    if not found:
        raise InputError(f"{path} holds no comparison that can be used. Allowed: rows of {FORM}.")
    return Published(read, tuple(found.values()), dict(left_out), name)


def compared_rows(
    path: Path, kind: AnnotatorKind, format: PairFormat = "auto"
) -> Iterator[tuple[str, dict[str, Any], Comparison | str]]:
    """Yield each row with its format, and the comparison that it is, or why it is none.

    Args:
        path: the file.
        kind: of whoever chose.
        format: how rows are read.

    Raises:
        InputError: the file or one of its rows cannot be read.
    """
    if format not in FORMATS:
        raise InputError(
            f"Got the format '{format}'. Allowed: {', '.join(FORMATS)}.{nearest(format, FORMATS)} "
            "Use 'auto' to go by what the file holds."
        )
    name = str(format)
    for number, row in labelled_rows(path):
        if name == "auto":
            name = format_of(row, (path, number))
        _require_kind(row, kind, (path, number))
        yield name, row, _READERS[name](row, (path, number))


def format_of(row: Mapping[str, Any], place: Place) -> str:
    """The format that a row is in, by its keys.

    Raises:
        InputError: it is in none.
    """
    keys = row.keys()
    if is_hh_row(row):
        return "hh-rlhf"
    if {"output_1", "output_2"} <= keys:
        return "llmbar"
    if {"response1", "response2"} <= keys:
        return "pandalm"
    if {"target_scores", "targets", "options", "choices"} & keys:
        return "hhh"
    if {"chosen", "rejected", "first", "second"} & keys:
        return "jsonl"
    raise broken(
        place,
        f"a row with {', '.join(map(repr, sorted(keys)))[:120] or 'no keys'}",
        FORM,
        "Rename the keys, or name the file's format with --format.",
    )


def _require_kind(row: Mapping[str, Any], kind: AnnotatorKind, place: Place) -> None:
    if kind == "human" and row.get("source") == "ai":
        raise broken(
            place,
            "a comparison with source 'ai', whose choice is a judge's",
            "choices of people with --kind human",
            "Name a file of people's choices, or import these with --kind model.",
        )
