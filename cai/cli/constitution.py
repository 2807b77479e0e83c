"""`cai constitution`: list, show and check constitutions."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from cai.constitution import Constitution, ConstitutionInfo, Finding, Principle

__all__ = ["Format", "app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Look at constitutions, and check one that you are writing.",
)

_WORDINGS = {
    "text": "Principle",
    "critique": "Critique",
    "revise": "Revise",
    "judge": "Judge",
}

_Ref = Annotated[
    str,
    typer.Argument(
        metavar="NAME[@VERSION]|FILE",
        help="A name (its highest version), a name with a version, or a YAML file of your own.",
    ),
]


class Format(StrEnum):
    """How `show` writes a constitution."""

    text = "text"
    yaml = "yaml"
    json = "json"


@app.command("list")
def list_() -> None:
    """List the constitutions that come with the program.

    Example: cai constitution list
    """
    from cai.constitution import list_constitutions

    found, console = list_constitutions(), _console()
    if console.is_terminal:
        _print_table(found, console)
        return
    for one in found:
        versions = ", ".join(one.versions)
        typer.echo(f"{one.name}  {versions}  {one.principles} principles  {one.hash[:12]}")
        typer.echo(f"    {one.summary}")


@app.command()
def show(
    constitution: _Ref,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            help="text to read; yaml as one file with every principle in place; json for programs.",
        ),
    ] = Format.text,
) -> None:
    """Show every principle of a constitution, in the words that the model sees.

    Example: cai constitution show harmless-helpful
    """
    from cai.constitution import load_constitution

    loaded = load_constitution(constitution)
    if format_ is Format.json:
        import json

        data = {**_plain(loaded), "hash": loaded.hash}
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
    elif format_ is Format.yaml:
        typer.echo(_as_yaml(loaded), nl=False)
    else:
        _print_text(loaded)


@app.command("lint")
def lint_(
    constitution: _Ref,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on warnings too, as a final check would.")
    ] = False,
) -> None:
    """Check a constitution and say what to improve.

    Errors would spoil the labels, and make the command fail. Warnings are advice.

    Example: cai constitution lint my-rules/1.0.0.yaml
    """
    from cai.constitution import lint, load_constitution

    loaded = load_constitution(constitution)
    findings, count = lint(loaded), _count(len(loaded.principles), "principle")
    if not findings:
        typer.echo(f"{loaded.label}: {count}, no findings.")
        return
    for finding in findings:
        _print_finding(finding, strict)
    errors = sum(strict or finding.level == "error" for finding in findings)
    parts = f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}"
    typer.echo(f"{loaded.label}: {count}, {parts}.")
    if errors:
        raise typer.Exit(1)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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


def _print_text(loaded: Constitution) -> None:
    """Panels on a terminal; elsewhere plain lines that are never wrapped or cut."""
    count = _count(len(loaded.principles), "principle")
    head = f"{loaded.label}  {count}  hash {loaded.hash[:12]}"
    console = _console()
    if not console.is_terminal:
        typer.echo(f"{head}\n{loaded.summary}")
        for p in loaded.principles:
            typer.echo(f"\n{p.id}  ({_details(p)})")
            for label, wording in _lines(p):
                typer.echo(f"  {label}: {wording}")
        return
    from rich.panel import Panel
    from rich.text import Text

    console.print(Text(head, style="bold"), Text(loaded.summary), sep="\n")
    for p in loaded.principles:
        body = Text("\n").join(
            Text.assemble((f"{label}: ", "bold"), wording) for label, wording in _lines(p)
        )
        title, subtitle = Text(p.id, style="bold"), Text(_details(p), style="dim")
        console.print(
            Panel(body, title=title, subtitle=subtitle, title_align="left", subtitle_align="left")
        )


def _details(principle: Principle) -> str:
    tags = ", ".join(principle.tags) or "no tags"
    return f"weight {principle.weight:g}; {tags}"


def _lines(principle: Principle) -> list[tuple[str, str]]:
    lines = [(label, getattr(principle, field)) for field, label in _WORDINGS.items()]
    return [*lines, ("Note", principle.note)] if principle.note else lines


def _plain(loaded: Constitution) -> dict[str, Any]:
    """The content of a constitution file that needs no family."""
    return {"format": 1, **loaded.model_dump(mode="json")}


def _as_yaml(loaded: Constitution) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    yaml, text = YAML(), StringIO()
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(_plain(loaded), text)
    return f"# {loaded.label}, hash {loaded.hash}\n{text.getvalue()}"


def _print_finding(finding: Finding, strict: bool) -> None:
    level = "error" if strict else finding.level
    where = finding.principle_id or "whole constitution"
    colour = typer.colors.RED if level == "error" else typer.colors.YELLOW
    typer.secho(f"{level:<7}  {where}", fg=colour, bold=True)
    typer.echo(f"  {finding.message}\n  Fix: {finding.fix}\n")
