"""Rows of a run for the tests of layouts, and files written by hand."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cai.records import Message, Pair, Prompt, Response, Revision, Row
from cai.store import RunStore
from cai.store.export import ExportResult, export
from tests.unit.store_helpers import PLAN, ask, fill, full_row, verdict

HOSTILE = '# x\n<b>\x1b[2J\x00\u202e\u2028\u2029\x85\r\n\t"\'\\ {"p": 1} \U0001f600'


def judged(first: str, second: str, p: float, kind: str = "samples", band: float = 0.05) -> Pair:
    """A pair with a verdict of this p; within `band` of one half it is a tie."""
    outcome = "tie" if abs(p - 0.5) <= band else "first" if p > 0.5 else "second"
    return Pair("id", kind, first, second, "s", "t", verdict(p, 1.0 - p, outcome))  # type: ignore[arg-type]


def row_of(prompt: Prompt, *pairs: Pair) -> Row:
    return Row(prompt, PLAN, pairs=pairs)


def hostile_row() -> Row:
    prompt = Prompt((Message("system", HOSTILE), Message("user", HOSTILE)), ("tag",))
    return full_row(prompt, HOSTILE + "1", HOSTILE + "2")


def single_turn(i: int, size: int = 1) -> Row:
    return full_row(ask(f"Q{i} " + "x" * size, "tag"), f"old {i} " + "y" * size, f"new {i}")


def chained(text: str, *answers: str) -> Row:
    """A sample and its revisions, one per round."""
    rounds = tuple(
        Revision(n, f"p{n}", "revised", answer, f"critique {n}")
        for n, answer in enumerate(answers, 1)
    )
    start = Response("start", "start", "answered", "r")
    return Row(ask(text), PLAN, samples=(start,), revisions=(rounds,))


def export_rows(folder: Path, rows: Iterable[Row], **options: Any) -> ExportResult:
    """Export a run whose rows are all in the train split."""
    with RunStore.read(fill(folder, [(row, "train") for row in rows])) as store:
        return export(store, **options)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
