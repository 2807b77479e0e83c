"""Exports: the training files of a run, which can be rebuilt from its store at any time.

The folder holds only rows of the `train` split, and in `dev/` those for calibration. Held-out and
quarantined rows are never written.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson

from cai.errors import StoreError, UsageError
from cai.formats.exported import sources_of
from cai.formats.layouts import LAYOUTS, check_layouts
from cai.store.access import Purpose, refuse_shard, rows_for
from cai.store.card import render_card
from cai.store.export_files import ExportedFile, facts_of
from cai.store.export_folder import put_in_place, working_folder
from cai.store.export_tables import ExportFormat, LeftOut, SftRows, Tables, Wanted
from cai.store.manifest import make_manifest
from cai.store.spending import RowMeter, Spending, spending
from cai.store.summary import RunSummary, Summariser

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from cai.store.run import RunStore

__all__ = ["ExportFormat", "ExportResult", "LeftOut", "SftRows", "export"]

_FORMATS: tuple[ExportFormat, ...] = ("jsonl", "parquet")
_KNOWN = frozenset(
    {"dev", *(f"{t}.{end}" for facts in LAYOUTS.values() for t in facts.tables for end in _FORMATS)}
)
_PARTS: tuple[tuple[str, Purpose], ...] = (("", "training"), ("dev/", "calibration"))


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export wrote, and the summary of the run that it describes.

    `summary` is over all finished rows of the run, also those that are not exported; `spending` is
    over all that was asked. `left_out` is what a layout has no place for.
    """

    folder: Path
    files: tuple[ExportedFile, ...]
    summary: RunSummary
    spending: Spending
    left_out: tuple[LeftOut, ...] = ()


def export(
    store: RunStore,
    folder: Path | None = None,
    formats: Sequence[ExportFormat] = _FORMATS,
    sft: SftRows = "final",
    layouts: Sequence[str] = ("trl",),
) -> ExportResult:
    """Write the training files of all finished rows.

    Each file is replaced as a whole, so a reader never sees half a file. Exporting the same state
    twice gives the same bytes. Memory does not grow with the run.

    Args:
        store: the run; it may still be going on.
        folder: where to; `<run>/export` when absent.
        formats: file formats.
        sft: SFT rows from the last usable revision of each chain, or from that of every round.
        layouts: what the rows look like, by names from `cai.formats.LAYOUTS`.

    Raises:
        UsageError: there is no such format or layout, or not in that format.
        StoreError: the run has not begun or is a shard; or the folder holds something else or
            cannot be written.
    """
    wanted = _wanted(formats, sft, layouts)
    if store.meta("plan") is None:
        raise StoreError(f"The run {store.folder} has not begun. Start it with 'cai generate'.")
    refuse_shard(store)
    target = folder or store.folder / "export"
    try:
        with working_folder(target, _KNOWN) as working, store.snapshot():
            result = _write_all(store, working, target, wanted)
            names = [file.name for file in result.files]
            put_in_place(working, target, [*names, "manifest.json"])
    except OSError as error:
        raise StoreError(
            f"Cannot write the export to {target}: {error.strerror or error}. Free some space or "
            "choose another folder with --out; the run itself is untouched."
        ) from error
    return result


def _wanted(formats: Sequence[ExportFormat], sft: SftRows, layouts: Sequence[str]) -> Wanted:
    if not formats or not set(formats) <= set(_FORMATS):
        raise UsageError(f"formats: got {list(formats)}. Allowed: one or more of {list(_FORMATS)}.")
    chosen = check_layouts(layouts)
    for layout in chosen:
        if not LAYOUTS[layout].parquet and "jsonl" not in formats:
            raise UsageError(
                f"Got the layout '{layout}' in Parquet alone. Allowed: JSONL, in which alone "
                "it is read. Add --format jsonl, or leave --format out."
            )
    return Wanted(chosen, tuple(dict.fromkeys(formats)), sft)


def _write_all(store: RunStore, working: Path, target: Path, wanted: Wanted) -> ExportResult:
    summariser, meter = Summariser(), RowMeter(store)
    files: list[ExportedFile] = []
    left_out: list[LeftOut] = []
    for prefix, purpose in _PARTS:
        (working / prefix).mkdir(exist_ok=True)
        with Tables(store, working, prefix, wanted) as tables:
            for row, split in rows_for(store, purpose):
                summariser.add(row, split)
                meter.add(row)
                tables.add(row)
        files += tables.facts()
        left_out += tables.left_out()
    # These are counted, and nothing else.
    for row, split in rows_for(store, "report", "held_out", "quarantine"):
        summariser.add(row, split)
        meter.add(row)
    summary = summariser.result()
    costs = spending(store, meter.result(), summary.judged_pairs)
    manifest = make_manifest(store, summary, files, wanted.sft, costs)
    manifest["layouts"] = list(wanted.layouts)
    manifest["sources"] = sources_of(wanted.layouts)
    manifest["left_out"] = [asdict(one) for one in left_out]
    card = working / "README.md"
    card.write_text(render_card(manifest), encoding="utf-8", newline="\n")
    files.append(facts_of(card, card.name, None))
    manifest["files"] = [asdict(file) for file in files]
    _write_json(working / "manifest.json", manifest)
    return ExportResult(target, tuple(files), summary, costs, tuple(left_out))


def _write_json(path: Path, value: dict[str, Any]) -> None:
    option = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    path.write_bytes(orjson.dumps(value, option=option))
