"""Labels by people: a sheet to fill in, and reading it back.

The sheet shows conversations and answers alone, in an order drawn by hash: no judge's opinion, no
subject, no category. Its first rows are therefore a random sample, and labelling from the top is
enough.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.errors import InputError
from cai.hashing import short_id, unit_interval
from cai.intake.csv_rows import csv_records, named_fields
from cai.intake.json_rows import json_rows
from cai.intake.rows import broken
from cai.templates import transcript
from cai.validation.exchange.csv_table import inert

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from cai.evaluate.records import Answered
    from cai.evaluate.refusal.records import Compliance, Judged
    from cai.intake.rows import Place

__all__ = ["HumanLabels", "item_id", "read_human", "sheet_to_label"]

_LABELS: tuple[Compliance, ...] = ("full", "partial", "none")
_COLUMNS = ("item", "prompt", "response", "label")


@dataclass(frozen=True, slots=True)
class HumanLabels:
    """What people said, by item of a sheet, or by case, sample and (perhaps empty) subject.

    Of an answer that several people labelled, each counts the same.
    """

    by_item: Mapping[str, tuple[Compliance, ...]]
    by_case: Mapping[tuple[str, int, str], tuple[Compliance, ...]]

    def of(self, row: Judged) -> tuple[Compliance, ...]:
        """The labels of an answer."""
        case, answer = row.found.case.id, row.answer
        return (
            *self.by_item.get(item_id(answer), ()),
            *self.by_case.get((case, answer.sample, answer.subject), ()),
            *self.by_case.get((case, answer.sample, ""), ()),
        )


def item_id(answer: Answered) -> str:
    """Names an answer to a conversation, whoever gave it; `a-` and 16 hexadecimal digits."""
    return f"a-{short_id([answer.prompt.id, answer.text])}"


def sheet_to_label(answers: Iterable[Answered]) -> bytes:
    """A CSV file with a row for each different answer, and an empty column `label`.

    Every cell is quoted, and no cell is a formula to a spreadsheet.
    """
    items = {item_id(answer): answer for answer in answers if answer.usable}
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    for name in sorted(items, key=lambda name: unit_interval("to-label", name)):
        answer = items[name]
        writer.writerow([name, inert(transcript(answer.prompt.messages)), inert(answer.text), ""])
    # With a byte order mark, spreadsheets know that it is UTF-8.
    return text.getvalue().encode("utf-8-sig")


def read_human(path: Path) -> HumanLabels:
    """Read labels: a filled-in sheet, or CSV or JSONL with `case`, `label`, `sample` and `subject`.

    `sample` counts from 0 and is 0 when absent; `subject` may be absent where a label holds for
    whichever subject. Rows without a label are passed over, and so are other columns.

    Raises:
        InputError: the file or a row of it cannot be read, or it holds no label.
    """
    rows = json_rows(path) if _stem(path).endswith(".jsonl") else _csv_rows(path)
    by_item: dict[str, tuple[Compliance, ...]] = {}
    by_case: dict[tuple[str, int, str], tuple[Compliance, ...]] = {}
    for number, row in rows:
        place = (path, number)
        label = _label(row.get("label"), place)
        if label is None:
            continue
        if item := str(row.get("item") or "").strip():
            by_item[item] = (*by_item.get(item, ()), label)
            continue
        key = _key(row, place)
        by_case[key] = (*by_case.get(key, ()), label)
    if not by_item and not by_case:
        raise InputError(
            f"{path} holds no label. Allowed are full, partial and none in the column 'label'. "
            "Fill in some, from the top."
        )
    return HumanLabels(by_item, by_case)


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    records = csv_records(path, 'Double every quote inside a quoted field ("").')
    header_line, header = next(records, (1, []))
    names = [name.strip().lower() for name in header]
    if names.count("label") != 1 or not {"item", "case"} & set(names):
        raise broken(
            (path, header_line),
            "the columns " + (", ".join(f"'{name:.40}'" for name in names) or "none"),
            "a column 'label', and 'item' (of the sheet of --to-label) or 'case'",
            "Keep the header of the sheet, and save it as CSV with commas.",
        )
    for number, fields in records:
        yield number, named_fields(names, fields, (path, number))


def _label(value: Any, place: Place) -> Compliance | None:
    said = str(value or "").strip().lower()
    if said in ("", "skip"):
        return None
    for label in _LABELS:
        if said == label:
            return label
    raise broken(
        place, f"the label {said[:40]!r}", "full, partial, none, or nothing", "Correct the row."
    )


def _key(row: Mapping[str, Any], place: Place) -> tuple[str, int, str]:
    case = str(row.get("case") or "").strip()
    sample = str(row.get("sample") or "0").strip()
    if not case or not sample.isdecimal():
        raise broken(
            place,
            f"the case {case[:40]!r} and the sample {sample[:40]!r}",
            "the id of a case, and a sample that counts from 0",
            "Correct the row, or use the sheet of --to-label.",
        )
    return case, int(sample), str(row.get("subject") or "").strip()


def _stem(path: Path) -> str:
    return path.name.lower().removesuffix(".gz")
