"""`cai judge bench`: a file of labelled pairs is judged, and the judge is reported on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cai.cli.judge.options import ConfigFile, Draws, Format, JudgeEngine, Settings, Update
from cai.cli.published import Kind, PairFormatName

__all__ = ["bench"]


def bench(
    data: Annotated[
        Path,
        typer.Option(
            help="Labelled pairs: LLMBar, hh-rlhf, HHH alignment, PandaLM, or rows with prompt and "
            "two answers; JSONL or one JSON list, also gzip."
        ),
    ],
    format: Format = PairFormatName.auto,
    config: ConfigFile = None,
    engine: JudgeEngine = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many pairs.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run; runs/bench-<file> when absent.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the principles that are drawn for each pair.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="Who made the labels of the file.")] = Kind.human,
    setting: Settings = None,
    update: Update = False,
    draws: Draws = 2000,
    output: Annotated[
        Path | None,
        typer.Option("--json", help="Also write the report to this file, as JSON."),
    ] = None,
) -> None:
    """Judge labelled pairs in both orders, and say how often the judge is right.

    The pairs become a run like those of `cai import`: start the same command again to go on after
    a stop, or with a larger --limit; nothing that was answered is asked again. Of a prompt that
    repeats, the first pair counts.

    Example: cai judge bench --data LLMBar/Natural/dataset.json --limit 100
    """
    from cai.cli.judge.report import show
    from cai.cli.judge.tables import print_taken
    from cai.cli.published import carry_out, stem
    from cai.cli.settings import overrides_of
    from cai.validation.exchange import read_comparisons

    folder = run or Path("runs") / f"bench-{stem(data).lower()}"
    given = {"run": str(folder), "prompts.limit": limit, "loop.seed": seed}
    overrides = overrides_of(setting or [])
    overrides |= {key: value for key, value in given.items() if value is not None}
    published = read_comparisons(data, kind.value, format.value)
    generation, _ = carry_out(
        published, data, config, overrides, engine, None, kind.value, update=update
    )
    print_taken(published, generation.source.total)
    show(generation.folder, [], draws, output)
