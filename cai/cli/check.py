"""`cai check`: what is wrong with the rows of a run or file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.quality import Options, Report

__all__ = [
    "Against",
    "FailOn",
    "Ngram",
    "RunTable",
    "ScorerPlace",
    "WithPresidio",
    "check",
    "names_of",
    "options_of",
    "processes_for",
    "progress_bar",
]

Against = Annotated[
    list[Path] | None,
    typer.Option(help="Evaluation file whose items must not be in the data; may be repeated."),
]
Ngram = Annotated[int, typer.Option(min=3, help="Words in a row that count as a leak.")]
ScorerPlace = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:FUNCTION",
        help="Scores a list of (prompt, answer), higher is better, for label-inversion.",
    ),
]
WithPresidio = Annotated[
    bool, typer.Option("--presidio", help="Also look for names and places (extra 'pii').")
]


_LARGE = 8 * 2**20
"""Bytes of a file or run."""


class FailOn(StrEnum):
    """Levels that `--fail-on` can name."""

    error = "error"
    warning = "warning"
    never = "never"

    def failed(self, report: Report) -> bool:
        """Whether a finding is at least that grave."""
        if self is FailOn.never:
            return False
        return report.reaches("error" if self is FailOn.error else "warning")


class RunTable(StrEnum):
    """Rows of a run that `--table` can name."""

    all = "all"
    preferences = "preferences"
    sft = "sft"


def check(
    source: Annotated[
        Path,
        typer.Argument(help="Folder of a run, or a file: .jsonl, .jsonl.gz or .parquet."),
    ],
    against: Against = None,
    only: Annotated[str, typer.Option(help="Names of checks, with commas.")] = "",
    skip: Annotated[str, typer.Option(help="Names of checks to leave out, with commas.")] = "",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write all findings to this file.")
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 when a finding is at least that grave.")
    ] = FailOn.error,
    ngram: Ngram = 13,
    scorer: ScorerPlace = None,
    presidio: WithPresidio = False,
    table: Annotated[
        RunTable, typer.Option(help="Which rows of a run; a file has one table.")
    ] = RunTable.all,
) -> None:
    """Look for duplicates, contradictions, leaks, biases and broken rows before training.

    Of a run, the rows are checked that may be trained on, and those of its dev split for
    information. Held-out rows are never read.

    Example: cai check pairs.jsonl --against test.jsonl --json findings.json
    """
    from dataclasses import replace

    from cai.cli.findings import print_report, write_findings
    from cai.cli.tables import print_text
    from cai.quality import check_source, open_source

    options = options_of(against, ngram, scorer, presidio)
    wanted, unwanted = names_of(only), names_of(skip)
    opened = open_source(source, table.value)
    with progress_bar("Checked") as progress:
        report = check_source(opened, options, wanted, unwanted, progress, processes_for(source))
        dev = None
        if opened.form == "run":
            opened = replace(opened, purpose="calibration")
            dev = check_source(opened, options, wanted, unwanted, progress)
    if json_file is not None:
        write_findings(json_file, report, dev)
    print_report(report, dev)
    if json_file is not None:
        print_text(f"\nAll findings are in {json_file}.")
    if fail_on.failed(report):
        raise typer.Exit(1)


def names_of(text: str) -> list[str]:
    """The names in a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def options_of(
    against: list[Path] | None, ngram: int, scorer: str | None, presidio: bool
) -> Options:
    """What the command line asks of the checks.

    Raises:
        UsageError: the scorer cannot be imported.
    """
    from cai.quality import Options
    from cai.quality.scorers import load_scorer

    return Options(tuple(against or ()), ngram, load_scorer(scorer) if scorer else None, presidio)


def processes_for(path: Path) -> int:
    """Two for a source that is worth the second to start another one."""
    file = path / "run.db" if path.is_dir() else path
    return 2 if file.exists() and file.stat().st_size > _LARGE else 1


def progress_bar(verb: str) -> _Bar:
    """Context manager: a function that shows how many rows are done, on standard error."""
    return _Bar(verb)


class _Bar:
    def __init__(self, verb: str) -> None:
        self._verb = verb

    def __enter__(self) -> Callable[[int], None]:
        from rich.progress import Progress, TextColumn

        from cai.cli.output import error_console, is_terminal

        self._progress = Progress(
            TextColumn("{task.description}"),
            console=error_console(),
            transient=True,
            disable=not is_terminal(),
        )
        self._progress.start()
        task = self._progress.add_task("Reading …", total=None)
        return lambda rows: self._progress.update(task, description=f"{self._verb} {rows:,} rows …")

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()
