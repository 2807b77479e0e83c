"""The command `cai`: one file per command, mounted here.

Command modules import nothing but typer and the standard library at their top, so that
`cai --help` stays fast; what a command needs is imported when it runs.
"""

from __future__ import annotations

from typing import Annotated

import typer

from cai.cli import bench, constitution, drift, evaluate, feedback, judge, validate
from cai.cli.check import check
from cai.cli.compare import compare
from cai.cli.demo import demo
from cai.cli.export import export
from cai.cli.filter import filter_
from cai.cli.gc import gc
from cai.cli.generate import generate
from cai.cli.import_ import import_pairs
from cai.cli.init import init
from cai.cli.merge import merge
from cai.cli.plan import plan
from cai.cli.report import report
from cai.cli.review import review
from cai.cli.run import run
from cai.cli.score import score
from cai.cli.serve import serve
from cai.cli.show import show
from cai.cli.status import status
from cai.cli.train import train

__all__ = ["app"]

app = typer.Typer(
    name="cai",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="From written principles to preference data and trained models: a constitution goes in, "
    "revisions, judged pairs and a model come out.",
)

app.command()(demo)
app.command()(init)
app.command()(plan)
app.command()(run)
app.command()(generate)
app.command("import")(import_pairs)
app.command()(serve)
app.command()(status)
app.command()(merge)
app.command()(show)
app.command()(check)
app.command("filter")(filter_)
app.command()(export)
app.command()(review)
app.command()(report)
app.command()(compare)
app.command()(train)
app.command()(score)
app.command()(gc)
app.add_typer(constitution.app, name="constitution")
app.add_typer(judge.app, name="judge")
app.add_typer(validate.app, name="validate")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(feedback.app, name="feedback")
app.add_typer(drift.app, name="drift")
app.add_typer(bench.app, name="bench")


def _version(wanted: bool) -> None:
    if wanted:
        from cai import __version__

        typer.echo(f"constitutional-ai {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    # The option has acted in its callback.
    del version
