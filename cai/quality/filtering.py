"""Writing the rows that pass: kept rows as they are, and one line about each that is left out."""

from __future__ import annotations

import gzip
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

import orjson

from cai.errors import StoreError, UsageError, nearest
from cai.quality.check import known_checks
from cai.quality.reading import read_samples
from cai.quality.run import check_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cai.quality.check import Options
    from cai.quality.reading import Source
    from cai.quality.records import Report, Sample

__all__ = ["Filtered", "dropped_path", "filter_source"]


@dataclass(frozen=True, slots=True)
class Filtered:
    """What was written. A row that several checks would drop counts for each in `by_check`."""

    kept: int
    dropped: int
    by_check: Mapping[str, int]
    out: Path
    dropped_out: Path


def filter_source(
    source: Source,
    drop: Sequence[str],
    out: Path,
    options: Options,
    progress: Callable[[int], None] = lambda rows: None,
    processes: int = 1,
) -> Filtered:
    """Leave out the rows that some checks point at. The source is read twice.

    Lines of JSONL keep their bytes and their order; rows of Parquet keep their types.

    Args:
        source: from `open_source`.
        drop: names of checks.
        out: a new file, of the same format as the source (that of a run is JSONL); `.gz` packs it.
        options: what the checks need.
        progress: is told the number of rows now and then.
        processes: see `check_source`.

    Raises:
        UsageError: a check is unknown or drops nothing, or a file exists already.
        StoreError: the source changed between the readings.
    """
    _refuse(source, drop, out)
    report = check_source(source, options, only=drop, progress=progress, processes=processes)
    reasons = _reasons(report)
    kept = dropped = 0
    with ExitStack() as stack:
        keeping = stack.enter_context(_new_file(source, out))
        leaving = stack.enter_context(_replaced(dropped_path(out)))
        for sample, line in read_samples(source):
            why = reasons.get(sample.index)
            keeping.put(line, why is None)
            if why is None:
                kept += 1
                continue
            dropped += 1
            leaving.write(_line(sample, why))
        if kept + dropped != report.rows:
            raise StoreError(
                f"{source.path} changed while it was read. Start again when nothing writes to it "
                "any more."
            )
    counts = {finding.check: len(finding.drops) for finding in report.findings}
    return Filtered(kept, dropped, counts, out, dropped_path(out))


def dropped_path(out: Path) -> Path:
    """Where the rows that were left out are listed."""
    return out.with_name(out.name + ".dropped.jsonl")


def _refuse(source: Source, drop: Sequence[str], out: Path) -> None:
    able = [name for name, check in known_checks().items() if check.drops]
    for name in drop or [""]:
        if name not in able:
            raise UsageError(
                f"--drop '{name}': no check of this name points at rows. Allowed: "
                f"{', '.join(able)}.{nearest(name, able)}"
            )
    for path in (out, dropped_path(out)):
        if path.exists():
            raise UsageError(f"{path} exists already and is left as it is. Name a new file.")
    if not out.parent.is_dir():
        raise UsageError(f"The folder {out.parent} does not exist. Make it, or check --out.")
    if (source.form == "parquet") != out.name.lower().endswith(".parquet"):
        wanted = ".parquet" if source.form == "parquet" else ".jsonl or .jsonl.gz"
        raise UsageError(f"--out {out}: kept rows keep their format. Name a file in {wanted}.")


def _reasons(report: Report) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = {}
    for finding in report.findings:
        for index, reason in finding.drops.items():
            found.setdefault(index, []).append((finding.check, reason))
    return found


def _line(sample: Sample, why: list[tuple[str, str]]) -> bytes:
    record = {
        "place": sample.place,
        "id": sample.id,
        "check": why[0][0],
        "reason": why[0][1],
        "also": [name for name, _ in why[1:]],
    }
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


class _Keeper(Protocol):
    def put(self, line: bytes, keep: bool) -> None: ...


class _Lines:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def put(self, line: bytes, keep: bool) -> None:
        if keep:
            # The last line of a file may lack its end, and another one may follow it here.
            self._file.write(line if line.endswith(b"\n") else line + b"\n")


class _ParquetRows:
    """Collects which rows to keep, and copies them when all are known."""

    def __init__(self) -> None:
        self.mask: list[bool] = []

    def put(self, line: bytes, keep: bool) -> None:
        self.mask.append(keep)

    def copy(self, source: Path, file: IO[bytes]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        done = 0
        with pq.ParquetFile(source) as rows, pq.ParquetWriter(file, rows.schema_arrow) as writer:
            for batch in rows.iter_batches(batch_size=1024):
                mask = self.mask[done : done + batch.num_rows]
                done += batch.num_rows
                writer.write_batch(batch.filter(pa.array(mask)))


@contextmanager
def _new_file(source: Source, out: Path) -> Iterator[_Keeper]:
    with _replaced(out) as file:
        if source.form == "parquet":
            rows = _ParquetRows()
            yield rows
            rows.copy(source.path, file)
        elif out.name.endswith(".gz"):
            # Without a time, so that the same rows give the same bytes.
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
                yield _Lines(cast("Any", packed))
        else:
            yield _Lines(file)


@contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when it is whole."""
    working = path.with_name(f".{path.name}.part")
    try:
        with working.open("wb") as file:
            yield file
        working.rename(path)
    finally:
        working.unlink(missing_ok=True)
