"""Where samples come from: a run, a JSONL file or a Parquet file. One at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import orjson

from cai.errors import InputError, UsageError
from cai.intake.lines import numbered_lines, readable
from cai.intake.read import existing
from cai.quality.rows import broken_sample, sample_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.quality.records import Sample
    from cai.records import Row
    from cai.store.access import Purpose

__all__ = ["Source", "open_source", "parquet_rows", "read_samples"]

_BATCH = 1024

Table = Literal["all", "preferences", "sft"]


@dataclass(frozen=True, slots=True)
class Source:
    """A file or run that can be read more than once.

    `table` says which rows of a run are meant; `purpose` opens its split. Held-out rows are closed
    to this room: no purpose that may read them is ever passed.
    """

    path: Path
    form: Literal["run", "jsonl", "parquet"]
    table: Table = "all"
    purpose: Purpose = "training"


def open_source(path: Path, table: Table = "all") -> Source:
    """Tell what a path holds.

    Raises:
        InputError: there is no such file, or its name does not tell its format.
        UsageError: the folder holds no run.
    """
    if path.is_dir():
        if not (path / "run.db").exists():
            raise UsageError(
                f"Got the folder {path}, which holds no run. Allowed: the folder of a run, or a "
                "file (.jsonl, .jsonl.gz, .parquet). Name a file inside it."
            )
        return Source(path, "run", table)
    name = existing(path).name.lower()
    if name.endswith(".parquet"):
        return Source(path, "parquet")
    if name.removesuffix(".gz").endswith((".jsonl", ".json", ".ndjson")):
        return Source(path, "jsonl")
    raise InputError(
        f"Cannot tell the format of {path.name} by its name. Allowed: .jsonl, .jsonl.gz and "
        ".parquet. Rename the file."
    )


def read_samples(source: Source) -> Iterator[tuple[Sample, bytes]]:
    """Yield each row as a sample and as the bytes of its line; the bytes of Parquet rows are empty.

    Raises:
        InputError: the file as a whole cannot be read, or not one of its rows can be.
        StoreError: the run cannot be read.
    """
    readers = {"run": _run_samples, "jsonl": _line_samples, "parquet": _parquet_samples}
    first_problem, good = "", False
    for sample, line in readers[source.form](source):
        good = good or sample.kind != "broken"
        first_problem = first_problem or (f"{sample.place}: {sample.problem}")
        yield sample, line
    if not good and source.form != "run":
        raise InputError(
            f"{source.path}: no row can be read ({first_problem or 'the file is empty'}). Allowed: "
            "'prompt' with 'chosen' and 'rejected', hh-rlhf dialogues, 'messages' that end with an "
            "answer, or 'prompt' with 'answer' (and 'rating'). Rename the keys."
        )


def _line_samples(source: Source) -> Iterator[tuple[Sample, bytes]]:
    index = 0
    for number, line in numbered_lines(source.path):
        if not line.strip():
            continue
        place = f"{source.path.name}:{number}"
        try:
            sample = sample_of(orjson.loads(line), index, place)
        except orjson.JSONDecodeError as error:
            sample = broken_sample(index, place, f"no JSON ({error.msg})")
        yield sample, line.encode("utf-8")
        index += 1


def _parquet_samples(source: Source) -> Iterator[tuple[Sample, bytes]]:
    for index, row in enumerate(parquet_rows(source.path)):
        yield sample_of(row, index, f"{source.path.name}:{index + 1}"), b""


def parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file as plain data.

    Raises:
        InputError: it is no Parquet file that can be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with readable(path), pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from batch.to_pylist()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: this is no Parquet file that can be read ({error}). Allowed: a whole Parquet "
            "file with UTF-8 texts. Write it again."
        ) from error


def _run_samples(source: Source) -> Iterator[tuple[Sample, bytes]]:
    """The records that an export would write: what is checked is what is trained on."""
    from cai.store import RunStore
    from cai.store.access import rows_for
    from cai.store.export_rows import Pedigree, row_records

    index = 0
    wanted = ("preferences", "sft") if source.table == "all" else (source.table,)
    with RunStore.read(source.path) as store, store.snapshot():
        pedigree = Pedigree.of(store)
        for row, _ in rows_for(store, source.purpose):
            cut, pairs = _truncated_texts(row), {pair.id: pair for pair in row.pairs}
            for table, record in row_records(row, pedigree, "final"):
                if table not in wanted:
                    continue
                place = f"row {row.prompt.id[:8]}, {table} {record['id'][:8]}"
                sample = sample_of(record, index, place)
                marks = tuple(text in cut for text in sample.answers)
                pair = pairs[record["id"]] if table == "preferences" else None
                yield replace(sample, truncated=marks, pair=pair), orjson.dumps(record) + b"\n"
                index += 1


def _truncated_texts(row: Row) -> set[str]:
    cut = {answer.text for answer in row.samples if answer.outcome == "truncated"}
    return cut | {
        step.text for chain in row.revisions for step in chain if step.outcome == "truncated"
    }
