"""`cai check`: what is wrong with the rows of a run or file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.row_progress import RowProgress
from cai.cli.second_opinion import JudgeConfig, JudgeFolder, JudgeLimit, JudgeMargin, open_judge

if TYPE_CHECKING:
    from cai.cli.second_opinion import OpenJudge
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
    judge_config: JudgeConfig = None,
    judge_limit: JudgeLimit = 500,
    judge_margin: JudgeMargin = None,
    judge_run: JudgeFolder = None,
    presidio: WithPresidio = False,
    table: Annotated[
        RunTable, typer.Option(help="Which rows of a run; a file has one table.")
    ] = RunTable.all,
) -> None:
    """Look for duplicates, contradictions, leaks, biases and broken rows before training.

    Of a run, the rows are checked that may be trained on, and those of its dev split for
    information. Held-out rows are never read.

    With --judge-config, a judge is asked about the labels of a sample of the rows. Start the same
    command again to go on after a stop, or with a larger --judge-limit; nothing that was answered
    is asked again.

    Example: cai check pairs.jsonl --against test.jsonl --json findings.json
    """
    from dataclasses import replace

    from cai.cli.findings import print_report
    from cai.cli.tables import print_text
    from cai.quality import check_source, open_source
    from cai.quality.written import write_findings

    wanted, unwanted = names_of(only), names_of(skip)
    opened = open_source(source, table.value)
    with progress_bar("Checked") as progress:
        judge = open_judge(judge_config, source, judge_limit, judge_margin, judge_run, progress.say)
        options = options_of(against, ngram, scorer, presidio, judge)
        report = check_source(opened, options, wanted, unwanted, progress, processes_for(source))
        dev = None
        if opened.form == "run":
            opened = replace(opened, purpose="calibration")
            dev = check_source(opened, options, wanted, unwanted, progress)
    if json_file is not None:
        write_findings(json_file, report, dev)
    print_report(report, dev)
    if judge is not None:
        print_text(f"\n{judge.calls}")
    if json_file is not None:
        print_text(f"\nAll findings are in {json_file}.")
    if fail_on.failed(report):
        raise typer.Exit(1)


def names_of(text: str) -> list[str]:
    """The names in a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def options_of(
    against: list[Path] | None,
    ngram: int,
    scorer: str | None,
    presidio: bool,
    judge: OpenJudge | None,
) -> Options:
    """What the command line asks of the checks.

    Raises:
        UsageError: the scorer cannot be imported, or there is a judge as well.
    """
    from cai.quality import Options
    from cai.quality.scorers import load_scorer

    scores = load_scorer(scorer) if scorer else None
    return Options(tuple(against or ()), ngram, scores, presidio, judge.second if judge else None)


def processes_for(path: Path) -> int:
    """Two for a source that is worth the second to start another one."""
    file = path / "run.db" if path.is_dir() else path
    return 2 if file.exists() and file.stat().st_size > _LARGE else 1


def progress_bar(verb: str) -> RowProgress:
    """Context manager: shows on standard error how many rows are done, when it is called."""
    return RowProgress(verb)
