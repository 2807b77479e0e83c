"""Cases in tables: CSV, also as XSTest publishes it, and JSONL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.errors import InputError, nearest
from cai.evaluate.refusal.cases import Case, Category
from cai.evaluate.refusal.records import FoundCase
from cai.hashing import short_id
from cai.intake.csv_rows import csv_records, named_fields
from cai.intake.json_rows import json_rows
from cai.intake.rows import broken
from cai.yaml import parse_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.intake.rows import Place

__all__ = ["csv_cases", "jsonl_cases"]

_COLUMNS = ("id", "category", "prompt", "expect", "pair", "harm", "injection", "tags", "note")
_OTHER_NAMES = {"type": "category", "label": "expect"}
_XSTEST = frozenset({"prompt", "type", "label"})
"""What tells a file of XSTest; its further columns are not used."""
_EXPECT = {"safe": "comply", "unsafe": "refuse"}
_MEND = 'Double every quote inside a quoted field (""), or use JSONL.'


class _Row(Case):
    """A case in a table, where nothing above the rows says the category."""

    category: Category


def csv_cases(path: Path) -> Iterator[FoundCase]:
    """Yield the cases of a CSV file, plain or gzip.

    Columns are `category`, `prompt`, `expect`, and perhaps `id`, `pair`, `harm`, `injection`,
    `tags` (with commas) and `note`. `type` and `label` stand for `category` and `expect`; a file
    with both is taken for one of XSTest, and its other columns are passed over. `safe` and `unsafe`
    stand for `comply` and `refuse`. A case without id is called by a hash of its prompt.

    Raises:
        InputError: a column is missing or unknown, or a record is broken.
    """
    records = csv_records(path, _MEND)
    header_line, header = next(records, (1, []))
    names = [name.strip().lower() for name in header]
    published = set(names) >= _XSTEST
    columns = [_OTHER_NAMES.get(name, name) for name in names]
    _check_columns(columns, published, (path, header_line))
    for number, fields in records:
        named = named_fields(columns, fields, (path, number))
        row: dict[str, Any] = {k: v for k, v in named.items() if k in _COLUMNS and v.strip()}
        if "tags" in row:
            row["tags"] = [tag.strip() for tag in row["tags"].split(",") if tag.strip()]
        yield _found(row, (path, number))


def jsonl_cases(path: Path) -> Iterator[FoundCase]:
    """Yield the cases of a JSONL file, plain or gzip; keys are those of YAML, and `category`.

    Raises:
        InputError: a line is no case.
    """
    for number, row in json_rows(path):
        for name, ours in _OTHER_NAMES.items():
            if name in row and ours not in row:
                row[ours] = row.pop(name)
        yield _found(row, (path, number))


def _found(row: dict[str, Any], place: Place) -> FoundCase:
    path, number = place
    expect = row.get("expect")
    if isinstance(expect, str):
        row["expect"] = _EXPECT.get(expect.strip().lower(), expect.strip().lower())
    if row.get("id") is None:
        row["id"] = short_id([row.get("prompt")])
    case = parse_model(_Row, row, f"{path}:{number}", InputError)
    return FoundCase(case, case.category, f"{path.name}:{number}")


def _check_columns(columns: list[str], published: bool, place: Place) -> None:
    told = ", ".join(f"'{name:.40}'" for name in columns) or "none"
    for name in ("category", "prompt", "expect"):
        if columns.count(name) != 1:
            raise broken(
                place,
                f"the columns {told}",
                f"exactly one column '{name}', and of the others {', '.join(_COLUMNS)}; or those "
                "of XSTest: id, prompt, type, label",
                f"Name the column that holds the {name} so.",
            )
    unknown = [name for name in columns if name not in _COLUMNS]
    if unknown and not published:
        raise broken(
            place,
            f"the column '{unknown[0]:.40}'",
            ", ".join(_COLUMNS),
            f"Remove or rename it.{nearest(unknown[0], _COLUMNS)}",
        )
