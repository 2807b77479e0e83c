"""`cai constitution list`: the constitutions that come with the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cai.cli.constitution.common import plain_console

if TYPE_CHECKING:
    from rich.console import Console

    from cai.constitution import ConstitutionInfo

__all__ = ["list_"]


def list_() -> None:
    """List the constitutions that come with the program.

    Example: cai constitution list
    """
    from cai.constitution import list_constitutions

    found, console = list_constitutions(), plain_console()
    if console.is_terminal:
        _print_table(found, console)
        return
    for one in found:
        versions = ", ".join(one.versions)
        typer.echo(f"{one.name}  {versions}  {one.principles} principles  {one.hash[:12]}")
        typer.echo(f"    {one.summary}")


def _print_table(found: list[ConstitutionInfo], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("Name", "Versions", "Principles", "Hash", "Summary")
    for one in found:
        table.add_row(
            Text(one.name, style="bold"),
            ", ".join(one.versions),
            str(one.principles),
            one.hash[:12],
            Text(one.summary),
        )
    console.print(table)
