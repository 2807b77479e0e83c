"""Options that several commands of `cai judge` share; defaults stand with the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cai.cli.generate import EngineName
from cai.cli.published import PairFormatName

__all__ = ["ConfigFile", "Draws", "Format", "JudgeEngine", "Settings", "Update"]

Format = Annotated[
    PairFormatName, typer.Option(help="How rows are read; by their keys when absent.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        help="Its judge and constitution; the embedded model under harmless-helpful when absent."
    ),
]
JudgeEngine = Annotated[
    EngineName | None,
    typer.Option(help="Engine of the judge; 'scripted' tries it without a model."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any key of the config.", metavar="KEY=VALUE"),
]
Update = Annotated[
    bool, typer.Option("--update", help="Go on although the file or the config has changed.")
]
Draws = Annotated[int, typer.Option(min=100, help="Bootstrap samples of each interval.")]
