"""Tables and headed text: drawn on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cai.store.export import ExportResult
    from cai.store.summary import RunSummary

__all__ = [
    "print_files",
    "print_heading",
    "print_left_out",
    "print_table",
    "print_text",
    "summary_lines",
]


def print_heading(text: str) -> None:
    """A line that stands out, after an empty one."""
    from cai.cli.output import console, plain, safe

    if console().is_terminal:
        console().print("\n", safe(text), sep="", style="bold", soft_wrap=True)
    else:
        typer.echo(f"\n{plain(text)}")


def print_text(text: str, indent: int = 0) -> None:
    """Text as it is, but inert on a terminal; every line is indented by so many spaces."""
    from cai.cli.output import plain

    for line in plain(text).split("\n"):
        typer.echo(" " * indent + line)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()
) -> None:
    """A table; columns whose index is in `numbers` are aligned to the right."""
    from cai.cli.output import console, plain, safe

    cells = [[_cell(value) for value in row] for row in rows]
    right = set(numbers)
    if console().is_terminal:
        from rich.table import Table

        table = Table()
        for i, column in enumerate(columns):
            table.add_column(column, justify="right" if i in right else "left")
        for row in cells:
            table.add_row(*(safe(cell) for cell in row))
        console().print(table)
        return
    lines = [[plain(cell) for cell in row] for row in [list(columns), *cells]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        padded = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        typer.echo("  ".join(padded).rstrip())


def print_files(result: ExportResult) -> None:
    """What an export wrote, and where."""
    print_table(
        ("File", "Rows", "Bytes", "SHA-256"),
        [(f.name, "" if f.rows is None else f.rows, f.bytes, f.sha256[:16]) for f in result.files],
        numbers=(1, 2),
    )
    print_text(f"All in {result.folder}, with manifest.json.")


def print_left_out(result: ExportResult) -> None:
    """What the layouts of an export have no place for; nothing when all is written."""
    if result.left_out:
        print_heading("Left out")
        print_table(
            ("Layout", "Split", "Why", "Records"),
            [(one.layout, one.split, one.reason, one.count) for one in result.left_out],
            numbers=(3,),
        )


def summary_lines(summary: RunSummary) -> list[tuple[str, str]]:
    """What a person wants to know of a run: name and value, rates with their denominators."""
    judge, length = summary.judge, summary.length
    lines = [
        ("First answers", _counts(summary.samples)),
        ("Unusable first answers", f"{summary.unusable_samples:,}"),
        ("Revisions", _counts(summary.revisions)),
    ]
    lines += [
        (f"Revisions of round {number}", _counts(counts))
        for number, counts in summary.rounds.items()
        if len(summary.rounds) > 1
    ]
    lines.append(("Pairs", _counts(summary.pairs)))
    for kind, outcomes in sorted(summary.outcomes.items()):
        lines.append((f"Verdicts on {kind} pairs", _counts(outcomes)))
        if preferred := summary.preferred.get(kind):
            lines.append((f"Preferred in {kind} pairs", _counts(preferred)))
    if "revision" in summary.outcomes:
        lines.append(("Failed revisions (original preferred)", str(summary.failed_revisions)))
    if summary.contrast:
        lines.append(("Answers under the constitution", _counts(summary.contrast)))
    if summary.set_aside:
        lines.append(("Judged pairs set aside", _counts(summary.set_aside)))
    if summary.not_judged:
        lines.append(("Pairs not judged", _counts(summary.not_judged)))
    certainty = summary.certainty
    return [
        *lines,
        ("Judge prefers the answer shown first", str(judge.first_slot)),
        ("Orders name different winners (flips)", str(judge.flip)),
        ("One order names the winner of both", str(judge.single_order)),
        ("A label replaced by its bound", str(judge.bounded)),
        ("Mean probability of the labels", _decimal(judge.mean_mass)),
        *([("Read from short samples", str(judge.voted))] if judge.voted.count else []),
        ("Distance of p from 0.5, mean", _decimal(certainty.mean)),
        (
            "Distance of p from 0.5, quartiles",
            ", ".join(_decimal(certainty.quantile(q)) for q in (0.25, 0.5, 0.75)),
        ),
        ("Chosen answer is the longer one", str(length.chosen_longer)),
    ]


def _counts(counts: object) -> str:
    assert isinstance(counts, dict)
    parts = [f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda c: -c[1])]
    return ", ".join(parts) or "none"


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _decimal(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
