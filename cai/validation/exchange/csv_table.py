"""CSV: a sheet in which people fill in their choices."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from cai.intake.csv_rows import csv_records, named_fields
from cai.intake.rows import broken
from cai.validation.exchange.said import Said, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cai.validation.exchange.showing import Showing

__all__ = ["inert", "read_sheet", "restored", "sheet"]

_ASKED = ("choice", "confidence", "principle", "note", "annotator")
_NEEDED = ("item_id", "choice")
_MEND = "Save it as CSV again; the columns prompt, answer_a and answer_b may be deleted."
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
"""Begins a cell that a spreadsheet may carry out, with the full-width forms of some of them."""
_NUMBER = re.compile(r"[0-9]+(?:e[0-9]+)?")
"""An id that a spreadsheet would take for a number, and round."""

_MARKS = ("\ufeff", "ï»¿")
"""A byte-order mark as text, and one whose bytes were taken for Latin-1."""


def sheet(showings: Iterable[Showing], *, ask_refusals: bool) -> bytes:
    """The items with empty columns to fill in; every cell is quoted and no cell is a formula."""
    asked = (*_ASKED, "refuses") if ask_refusals else _ASKED
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(("item_id", "prompt", "answer_a", "answer_b", *asked, "key"))
    for one in showings:
        cells = (one.item_id, one.prompt, one.answer_a, one.answer_b, *("" for _ in asked), one.key)
        writer.writerow([inert(cell) for cell in cells])
    # With a byte order mark, spreadsheets know that it is UTF-8.
    return text.getvalue().encode("utf-8-sig")


def read_sheet(path: Path) -> Iterator[Said]:
    """Yield the labels of a sheet; the prompt and the answers in it are not looked at.

    Raises:
        InputError: it is no CSV, or lacks a column.
    """
    records = csv_records(path, _MEND)
    header_line, header = next(records, (1, []))
    if header and header[0].startswith(_MARKS):
        raise broken(
            (path, header_line),
            "a byte-order mark that was read as text: the file begins with a byte-order mark",
            "UTF-8, with at most one byte-order mark",
            "Take it away, and save it as UTF-8 (utf-8-sig).",
        )
    names = [word(name) for name in header]
    if missing := [name for name in _NEEDED if names.count(name) != 1]:
        raise broken(
            (path, header_line),
            "the columns " + (", ".join(f"'{name:.40}'" for name in header) or "none"),
            "commas between the columns, and exactly one column "
            + " and one ".join(f"'{name}'" for name in missing),
            "Keep the header of the export, and save the sheet as CSV with commas.",
        )
    for number, fields in records:
        named = named_fields(names, fields, (path, number))
        cells = {name: restored(cell) for name, cell in named.items()}
        yield Said(
            place=(path, number),
            item_id=cells["item_id"].strip(),
            annotator=cells.get("annotator", "").strip(),
            choice=word(cells["choice"]),
            key=cells.get("key", "").strip(),
            confidence=word(cells.get("confidence")),
            principle=cells.get("principle", ""),
            note=cells.get("note", ""),
            refuses=word(cells.get("refuses")),
            seconds=cells.get("seconds"),
            made=cells.get("created"),
        )


def inert(cell: str) -> str:
    """The cell as a text that no spreadsheet takes for a formula or a number."""
    return f"'{cell}" if _FORMULA.match(cell) or _NUMBER.fullmatch(cell) else cell


def restored(cell: str) -> str:
    """What `inert` was given."""
    rest = cell.removeprefix("'")
    return rest if inert(rest) != rest else cell
