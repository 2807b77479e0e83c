"""Reading labels that were given in another tool."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

from cai.errors import InputError, UsageError, nearest
from cai.validation.exchange.argilla import read_records
from cai.validation.exchange.csv_table import read_sheet
from cai.validation.exchange.exporting import principles_of
from cai.validation.exchange.json_labels import objects, read_plain
from cai.validation.exchange.keep import GivenLabel, Imported, keep_labels
from cai.validation.exchange.label_studio import read_tasks
from cai.validation.exchange.said import annotation_of, moment_of
from cai.validation.labels import Labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cai.store import RunStore
    from cai.validation.exchange.said import Said
    from cai.validation.records import AnnotatorKind

__all__ = ["ImportFormat", "import_labels"]

ImportFormat = Literal["auto", "csv", "label-studio", "argilla", "jsonl"]

_NAMED = 3
"""Most items that a message names."""


def import_labels(
    store: RunStore,
    path: Path,
    format: ImportFormat = "auto",
    *,
    kind: AnnotatorKind,
    annotator: str | None = None,
) -> Imported:
    """Store the labels of a file. The same file a second time changes nothing.

    Nothing is stored unless the whole file can be read. An edited label replaces the earlier one
    of the same annotator, unless the file says that it is older.

    Args:
        store: the run, opened for writing; it has a plan.
        path: what the tool exported.
        format: of the file; `auto` goes by its name and its first object.
        kind: of the annotators. There is no default: labels of programs must not pass as people's.
        annotator: who gave all labels of the file, in place of the name that the file has.

    Raises:
        InputError: the file cannot be read, or holds a word that is not allowed.
        UsageError: there is no plan, none of the items is in it, or an annotator cannot be used.
    """
    labels = Labels(store)
    labels.needed_plan()
    items = {item.item_id: item for item in labels.items()}
    if not path.is_file():
        raise InputError(f"Got {path}, which is no file. Name the file that the tool exported.")
    said = list(_read(path, format))
    filled = [one for one in said if one.choice]
    if not filled:
        raise InputError(
            f"{path} holds no label: none of its {len(said)} entries has a choice. Fill in the "
            "choices, or export the annotations together with the items."
        )
    here = [one for one in filled if one.item_id in items]
    if not here:
        raise _no_match(filled, path, store.folder)
    named = _named(here, annotator)
    principles = [principle_id for principle_id, _ in principles_of(store)]
    given = [
        GivenLabel(
            one.item_id,
            one.annotator,
            annotation_of(one, principles),
            moment_of(one.made, one.place),
        )
        for one in named
    ]
    practice = {item_id for item_id, item in items.items() if item.known is not None}
    kept = keep_labels(labels, given, kind, practice=practice)
    return replace(kept, skipped=len(filled) - len(here), empty=len(said) - len(filled))


def _read(path: Path, format: ImportFormat) -> Iterator[Said]:
    if format not in get_args(ImportFormat):
        raise UsageError(
            f"Got the format '{format}'. Allowed: {', '.join(get_args(ImportFormat))}."
            f"{nearest(format, get_args(ImportFormat))}"
        )
    if format == "auto":
        format = _detected(path)
    if format == "csv":
        return read_sheet(path)
    readers = {"label-studio": read_tasks, "argilla": read_records, "jsonl": read_plain}
    return readers[format](objects(path))


def _detected(path: Path) -> ImportFormat:
    if ".csv" in path.suffixes:
        return "csv"
    _, first = next(objects(path), ((path, 1), {}))
    if "fields" in first and "responses" in first:
        return "argilla"
    if "annotations" in first or "data" in first:
        return "label-studio"
    if "item_id" in first:
        return "jsonl"
    raise InputError(
        f"{path}: got objects with {', '.join(sorted(first)) or 'nothing'}. Allowed: CSV, a Label "
        "Studio export (data, annotations), Argilla records (fields, responses), or lines with "
        "item_id, annotator and choice. Name the format with --format."
    )


def _named(said: Sequence[Said], annotator: str | None) -> list[Said]:
    """Labels with the names of who gave them."""
    names = {one.annotator for one in said if one.annotator}
    if annotator is not None:
        if len(names) > 1:
            raise UsageError(
                f"Got labels by {len(names)} annotators ({', '.join(sorted(names)[:_NAMED])} …) "
                f"and one name for all of them, '{annotator}'. Leave --annotator out."
            )
        return [replace(one, annotator=annotator) for one in said]
    for one in said:
        if not one.annotator:
            path, number = one.place
            raise InputError(
                f"{path}:{number}: got a label without an annotator. Fill in who gave it, or name "
                "who gave all of them with --annotator."
            )
    return list(said)


def _no_match(said: Sequence[Said], path: Path, run: Path) -> UsageError:
    ids = list(dict.fromkeys(one.item_id for one in said))
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    shown = ", ".join(f"'{item_id:.40}'" for item_id in ids[:_NAMED])
    return UsageError(
        f"None of the items in {path} is in the current plan of {run}: got {shown}{more}. Name the "
        "run that the items were exported from, or export them again from this one."
    )
