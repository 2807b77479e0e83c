"""Parquet: the columns `prompt` or `messages`, and perhaps `tags`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.errors import InputError
from cai.intake.lines import readable
from cai.intake.rows import broken, prompt_of_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cai.records import Prompt

__all__ = ["parquet_rows", "read_parquet"]

_BATCH = 1024
"""Rows that are decoded together."""


def read_parquet(path: Path) -> Iterator[Prompt]:
    """Yield one prompt per row; rows are numbered from 1.

    Memory: the needed columns of one row group.

    Raises:
        InputError: the file is no Parquet file, has neither column, or a row is broken.
    """
    for number, row in parquet_rows(path, _columns):
        yield prompt_of_row(row, (path, number))


def parquet_rows(
    path: Path, choose: Callable[[Path, list[str]], list[str]] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield row numbers, from 1, and rows.

    Args:
        path: the file.
        choose: which of its columns to read; all of them when absent.

    Raises:
        InputError: the file is no Parquet file, or a text in it is not UTF-8.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with readable(path), pq.ParquetFile(path, pre_buffer=False) as file:
            columns = choose(path, file.schema_arrow.names) if choose else None
            done = 0
            for batch in file.iter_batches(batch_size=_BATCH, columns=columns):
                for i in range(batch.num_rows):
                    number = done + i + 1
                    yield number, _row(batch, i, (path, number))
                done += batch.num_rows
    except pa.ArrowException as error:
        raise InputError(
            f"{path}: this is no Parquet file that can be read ({error}). "
            "Allowed: a whole Parquet file. Write it again, or name its format."
        ) from error


def _columns(path: Path, found: list[str]) -> list[str]:
    if not {"prompt", "messages"} & set(found):
        names = ", ".join(f"'{name:.40}'" for name in found) or "none"
        raise InputError(
            f"{path}: got the columns {names}. Allowed: 'prompt' (texts or lists of messages) or "
            "'messages' (lists of {role, content}); 'tags' is optional. "
            "Rename the column that holds the prompts."
        )
    return [name for name in ("prompt", "messages", "tags") if name in found]


def _row(batch: Any, i: int, place: tuple[Path, int]) -> dict[str, Any]:
    try:
        return {name: batch.column(name)[i].as_py() for name in batch.schema.names}
    except UnicodeDecodeError as error:
        raise broken(
            place,
            f"a text with byte 0x{error.object[error.start]:02x} at offset {error.start}",
            "UTF-8 text",
            "Decode the column properly before writing the file.",
        ) from error
