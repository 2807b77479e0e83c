"""The files of an export: written record by record, with memory that does not grow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol

import orjson

from cai.store.export_schema import SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow.parquet as pq

__all__ = ["ExportedFile", "JsonlFile", "ParquetFile", "TableFile", "facts_of"]

_RECORDS = 1000
_CHARACTERS = 8_000_000
"""A Parquet batch ends with either, so that a few huge records do not fill the memory."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A written file. `name` is relative to the folder of the export, with `/`; sizes in bytes.

    `rows` is None for a file that is no table. `arrow_bytes` is the size of its columns in memory;
    None for one that is not Parquet.
    """

    name: str
    rows: int | None
    bytes: int
    sha256: str
    arrow_bytes: int | None = None


class TableFile(Protocol):
    """A file that takes records one at a time."""

    rows: int
    arrow_bytes: int | None

    def write(self, record: dict[str, Any]) -> None:
        """Append one record."""
        ...

    def close(self) -> None:
        """Write what is left; the file is complete afterwards."""
        ...


class JsonlFile:
    """One JSON object per line, UTF-8."""

    def __init__(self, path: Path) -> None:
        """Create the file."""
        self.rows = 0
        self.arrow_bytes: int | None = None
        self._file: IO[bytes] = path.open("wb")

    def write(self, record: dict[str, Any]) -> None:
        """Append one record."""
        self._file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        self.rows += 1

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class ParquetFile:
    """A Parquet file with the explicit schema of its table, so that empty columns keep types."""

    def __init__(self, path: Path, table: str) -> None:
        """Create the file of one of the tables in `SCHEMAS`."""
        import pyarrow.parquet as pq

        self.rows = 0
        self.arrow_bytes: int | None = 0
        self._schema = SCHEMAS[table]()
        self._writer: pq.ParquetWriter = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[dict[str, Any]] = []
        self._characters = 0

    def write(self, record: dict[str, Any]) -> None:
        """Append one record; it is on disk when its batch is full."""
        self._waiting.append(record)
        self.rows += 1
        self._characters += _characters(record)
        if len(self._waiting) >= _RECORDS or self._characters >= _CHARACTERS:
            self._flush()

    def close(self) -> None:
        """Write the last batch and the footer."""
        if self._waiting:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        batch = pa.RecordBatch.from_pylist(self._waiting, schema=self._schema)
        self._writer.write_batch(batch)
        self.arrow_bytes = (self.arrow_bytes or 0) + batch.nbytes
        self._waiting, self._characters = [], 0


def _characters(value: Any) -> int:
    """Of all texts in a record, also those of its messages."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return 0
    return sum(map(_characters, value))


def facts_of(
    path: Path, name: str, rows: int | None, arrow_bytes: int | None = None
) -> ExportedFile:
    """Size and SHA-256 of a finished file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ExportedFile(name, rows, path.stat().st_size, digest, arrow_bytes)
