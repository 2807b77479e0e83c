"""`cai judge`: how good a judge is, what sways it, and what its probabilities are worth."""

from __future__ import annotations

import typer

from cai.cli.judge.attack import attack
from cai.cli.judge.bench import bench
from cai.cli.judge.calibrate import calibrate
from cai.cli.judge.relabel import relabel
from cai.cli.judge.report import report

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Measure a judge: on the pairs of a run, or on a file of labelled pairs; and fit its "
    "probabilities to people's labels.",
)
app.command()(report)
app.command()(bench)
app.command()(calibrate)
app.command()(relabel)
app.command()(attack)
