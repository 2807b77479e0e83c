"""`cai judge report`: what the judged pairs of a run say of its judge."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.judge.options import Draws

if TYPE_CHECKING:
    from cai.validation.bias import JudgeReport

__all__ = ["SplitName", "report", "show"]


class SplitName(StrEnum):
    """Splits whose pairs can be reported."""

    train = "train"
    dev = "dev"
    held_out = "held_out"
    quarantine = "quarantine"


def report(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    split: Annotated[
        list[SplitName] | None,
        typer.Option(help="Only pairs of this split; may be repeated. All when absent."),
    ] = None,
    draws: Draws = 2000,
    output: Annotated[
        Path | None,
        typer.Option("--json", help="Also write everything to this file, as JSON."),
    ] = None,
) -> None:
    """Say how often the judge is right, and how order, length and principles sway it.

    Counts and rates alone, over all splits. Without labels there is no accuracy, and everything
    else. Where people labelled a stratified sample, `cai validate` weighs it; here pairs count
    alike.

    Example: cai judge report runs/default --split dev
    """
    show(run, split or [], draws, output)


def show(run: Path, splits: list[SplitName], draws: int, output: Path | None) -> JudgeReport:
    """Print the report of a run, and write it where that is wanted.

    Raises:
        StoreError: the run cannot be read, or is a shard.
    """
    from dataclasses import asdict

    from cai.cli.judge.tables import print_judge
    from cai.hashing import canonical_json
    from cai.store import RunStore
    from cai.validation.bias import judge_report
    from cai.validation.settings import settings_of

    with RunStore.read(run) as store:
        method = settings_of(store).gold
        found = judge_report(store, *(split.value for split in splits), method=method, draws=draws)
    print_judge(run, found)
    if output is not None:
        output.write_bytes(canonical_json(asdict(found)))
    return found
