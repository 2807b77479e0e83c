"""The open files of one part of an export: a row goes in, each file gets its records of it."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from cai.formats.layouts import LAYOUTS
from cai.formats.writers import WRITERS
from cai.formats.writing import Context
from cai.store.export_files import JsonlFile, ParquetFile, facts_of
from cai.store.export_rows import Pedigree, row_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from cai.formats.layouts import Layout
    from cai.records import Row
    from cai.store.export_files import ExportedFile, TableFile
    from cai.store.run import RunStore

__all__ = ["ExportFormat", "LeftOut", "SftRows", "Tables", "Wanted"]

ExportFormat = Literal["jsonl", "parquet"]
SftRows = Literal["final", "all"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many records a layout has no place for, and why; `split` is `train` or `dev`."""

    layout: Layout
    split: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an export is to write."""

    layouts: tuple[Layout, ...]
    formats: tuple[ExportFormat, ...]
    sft: SftRows


class Tables:
    """Files of all layouts for one split. Use it as a context; the files are complete after it."""

    def __init__(self, store: RunStore, folder: Path, prefix: str, wanted: Wanted) -> None:
        """Create the files.

        Args:
            store: the run.
            folder: of the whole export.
            prefix: of the names of these files, such as `dev/`.
            wanted: layouts and file formats.
        """
        self._folder, self._prefix, self._wanted = folder, prefix, wanted
        self._pedigree = Pedigree.of(store)
        facts = store.meta("constitution") or {}
        principles = {one["id"]: one.get("text", "") for one in facts.get("principles", [])}
        self._contexts = {
            layout: Context(principles, wanted.sft, Counter()) for layout in wanted.layouts
        }
        self._stack = ExitStack()
        self._files: dict[str, list[tuple[str, TableFile]]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for layout in self._wanted.layouts:
                for table in LAYOUTS[layout].tables:
                    self._files[table] = list(self._open(layout, table, stack))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, row: Row) -> None:
        """Append the records of a row to every table."""
        for layout, context in self._contexts.items():
            for table, record in self._records(layout, row, context):
                for _, file in self._files[table]:
                    file.write(record)

    def facts(self) -> Iterator[ExportedFile]:
        """What was written, once the files are closed."""
        for files in self._files.values():
            for name, file in files:
                yield facts_of(self._folder / name, name, file.rows, file.arrow_bytes)

    def left_out(self) -> Iterator[LeftOut]:
        """What the layouts had no place for."""
        split = self._prefix.rstrip("/") or "train"
        for layout, context in self._contexts.items():
            for reason, count in sorted(context.left_out.items()):
                yield LeftOut(layout, split, reason, count)

    def _records(
        self, layout: Layout, row: Row, context: Context
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        if layout == "trl":
            yield from row_records(row, self._pedigree, self._wanted.sft)
            return
        (table,) = LAYOUTS[layout].tables
        for record in WRITERS[layout](row, context):
            yield table, record

    def _open(
        self, layout: Layout, table: str, stack: ExitStack
    ) -> Iterator[tuple[str, TableFile]]:
        for ending in self._formats(layout):
            name = f"{self._prefix}{table}.{ending}"
            path = self._folder / name
            file = JsonlFile(path) if ending == "jsonl" else ParquetFile(path, table)
            stack.callback(file.close)
            yield name, file

    def _formats(self, layout: Layout) -> Sequence[ExportFormat]:
        return [f for f in self._wanted.formats if f == "jsonl" or LAYOUTS[layout].parquet]
