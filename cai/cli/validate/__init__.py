"""`cai validate`: what people say about the held-out pairs of a run."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from cai.cli.validate.cases import to_cases
from cai.cli.validate.exchange import export, import_
from cai.cli.validate.plan import plan
from cai.cli.validate.promote import promote
from cai.cli.validate.report import report

__all__ = ["app"]


class _ReportByDefault(TyperGroup):
    """`cai validate RUN` is `cai validate report RUN`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["report", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ReportByDefault,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Have people check a sample of the held-out pairs, and ask whether the AI labels may be "
    "trained on. `cai validate RUN` reports, `cai validate RUN --gate` decides.",
)
app.command()(plan)
app.command()(report)
app.command()(export)
app.command("import")(import_)
app.command("to-cases")(to_cases)
app.command()(promote)
