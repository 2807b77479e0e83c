"""CSV: a header with the column `prompt`, and perhaps `tags`."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from cai.intake.lines import numbered_lines
from cai.intake.rows import broken, prompt_of_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.intake.rows import Place
    from cai.records import Prompt

__all__ = ["csv_records", "named_fields", "read_csv"]

_MEND = 'Double every quote inside a quoted field (""), or use JSONL.'


def read_csv(path: Path) -> Iterator[Prompt]:
    """Yield one prompt per record. Quoted fields may span lines; the first line counts.

    Raises:
        InputError: the column `prompt` is missing, or a record is broken.
    """
    records = csv_records(path, _MEND)
    header_line, header = next(records, (1, []))
    names = [name.strip() for name in header]
    if header and names.count("prompt") != 1:
        raise broken(
            (path, header_line),
            "the columns " + ", ".join(f"'{name:.40}'" for name in names),
            "a header with commas and exactly one column 'prompt' ('tags' is optional)",
            "Name the column that holds the prompt 'prompt'.",
        )
    for number, fields in records:
        row = named_fields(names, fields, (path, number))
        yield prompt_of_row({"prompt": row["prompt"], "tags": row.get("tags")}, (path, number))


def csv_records(path: Path, fix: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line and the fields of each record that is not blank, header included.

    Args:
        path: the file, plain or gzip.
        fix: what to do about a record that is no CSV.

    Raises:
        InputError: a record is no CSV.
    """
    reader = csv.reader((line for _, line in numbered_lines(path)), strict=True)
    while True:
        first = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise broken(
                (path, first),
                f"a record that is no CSV ({error})",
                'fields of up to 131,072 characters, quoted with "double quotes" where needed',
                fix,
            ) from error
        if any(field.strip() for field in fields):
            yield first, fields


def named_fields(names: list[str], fields: list[str], place: Place) -> dict[str, str]:
    """The fields of a record by the names of the columns.

    Raises:
        InputError: there are more or fewer fields than columns.
    """
    if len(fields) != len(names):
        raise broken(
            place,
            f"{len(fields)} fields",
            f"{len(names)} fields, as in the header",
            'Put fields with commas or line breaks in "double quotes".',
        )
    return dict(zip(names, fields, strict=True))
