"""`cai constitution`: read, check, compare, test and release constitutions."""

from __future__ import annotations

import typer

from cai.cli.constitution.diff import diff
from cai.cli.constitution.export import export
from cai.cli.constitution.import_ import import_
from cai.cli.constitution.influence import influence
from cai.cli.constitution.lint import lint
from cai.cli.constitution.list import list_
from cai.cli.constitution.release import release
from cai.cli.constitution.show import show
from cai.cli.constitution.testing import run_tests

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Look at constitutions, and check, compare, test and release your own.",
)
app.command("list")(list_)
app.command()(show)
app.command()(lint)
app.command()(diff)
app.command()(release)
app.command("test")(run_tests)
app.command("import")(import_)
app.command()(export)
app.command()(influence)
