"""`cai filter`: leave out rows that checks point at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cai.cli.check import Against, Ngram, RunTable, ScorerPlace, WithPresidio
from cai.cli.second_opinion import JudgeConfig, JudgeFolder, JudgeLimit, JudgeMargin, open_judge

__all__ = ["filter_"]


def filter_(
    source: Annotated[
        Path,
        typer.Argument(help="Folder of a run, or a file: .jsonl, .jsonl.gz or .parquet."),
    ],
    drop: Annotated[
        str, typer.Option(help="Names of checks whose rows are left out, with commas.")
    ],
    out: Annotated[Path, typer.Option(help="New file for the kept rows; never overwritten.")],
    against: Against = None,
    ngram: Ngram = 13,
    scorer: ScorerPlace = None,
    judge_config: JudgeConfig = None,
    judge_limit: JudgeLimit = None,
    judge_margin: JudgeMargin = None,
    judge_run: JudgeFolder = None,
    presidio: WithPresidio = False,
    table: Annotated[
        RunTable, typer.Option(help="Which rows of a run; a file has one table.")
    ] = RunTable.preferences,
) -> None:
    """Write the rows that pass, unchanged and in order, and list the others with the reason.

    OUT.dropped.jsonl has place, id, check and reason of each row that is left out. A judge is asked
    about all rows, unless --judge-limit says otherwise.

    Example: cai filter pairs.jsonl --drop exact-duplicates,contradictions --out clean.jsonl
    """
    from cai.cli.check import names_of, options_of, processes_for, progress_bar
    from cai.cli.tables import print_table, print_text
    from cai.quality import filter_source, open_source
    from cai.wording import counted

    with progress_bar("Checked") as progress:
        judge = open_judge(judge_config, source, judge_limit, judge_margin, judge_run, progress.say)
        options = options_of(against, ngram, scorer, presidio, judge)
        done = filter_source(
            open_source(source, table.value),
            names_of(drop),
            out,
            options,
            progress,
            processes_for(source),
        )
    print_table(("Check", "Rows"), done.by_check.items(), numbers=(1,))
    print_text(f"\nKept {counted(done.kept, 'row')} in {done.out}.")
    left_out = counted(done.dropped, "row")
    print_text(f"Left out {left_out}; each is listed in {done.dropped_out}.")
    if judge is not None:
        print_text(judge.calls)
