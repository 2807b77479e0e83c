"""Records from a file of comparisons, answers or prompts, one at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cai.errors import InputError
from cai.formats.exported import stated_source
from cai.formats.recognise import record_of_row
from cai.intake.json_rows import json_rows
from cai.intake.lines import readable
from cai.intake.parquet_rows import parquet_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.formats.records import Record

__all__ = ["read_records", "read_rows"]

_PARQUET_MAGIC = b"PAR1"


def read_records(path: Path) -> Iterator[Record]:
    """Yield one record per row; its layout is recognised row by row, so that files may be mixed.

    Rows of an export whose layout has no place for a source have the one that its manifest says,
    as long as that lies beside them. Memory: the longest line, or one row group of a Parquet file.

    Args:
        path: JSONL, plain or gzip, or Parquet, which its first bytes tell.

    Raises:
        InputError: the file cannot be read, or a row has no known layout; with file and line.
    """
    stated = stated_source(path)
    for number, row in read_rows(path):
        record = record_of_row(row, (path, number))
        yield replace(record, source=stated) if stated and not record.source else record


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows as they are, each with its line, or in Parquet its row, from 1.

    Raises:
        InputError: the file cannot be read.
    """
    if not path.exists():
        raise InputError(
            f"{path} does not exist. Allowed: a JSONL or Parquet file. Check its path."
        )
    with readable(path), path.open("rb") as file:
        parquet = file.read(4) == _PARQUET_MAGIC
    return parquet_rows(path) if parquet else json_rows(path)
