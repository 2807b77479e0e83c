"""What `cai constitution import` and `export` share: names of layouts, and saying what was lost."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, cast

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.constitution.exchange import Layout

__all__ = ["LayoutName", "SourceLayout", "layout_of", "print_file", "say", "warn"]


class SourceLayout(StrEnum):
    """Layouts that `import --format` can name."""

    auto = "auto"
    cai_paper = "cai-paper"
    llm_swarm = "llm-swarm"
    open_character = "open-character"
    text = "text"
    markdown = "markdown"
    icai = "icai"


class LayoutName(StrEnum):
    """Layouts that `export --format` can name."""

    cai_paper = "cai-paper"
    llm_swarm = "llm-swarm"
    open_character = "open-character"
    open_character_jsonl = "open-character-jsonl"
    text = "text"
    markdown = "markdown"
    icai = "icai"


def layout_of(named: SourceLayout) -> Layout | None:
    """The layout that an option names; None to recognise it."""
    return None if named is SourceLayout.auto else cast("Layout", named.value)


def say(text: str) -> None:
    """Write to standard error, as standard output may be the file itself."""
    from cai.cli.output import plain

    typer.echo(plain(text), err=True)


def warn(warnings: Iterable[str]) -> None:
    """Write what was lost or made to standard error."""
    from cai.cli.output import plain

    for warning in warnings:
        typer.secho("warning  ", fg=typer.colors.YELLOW, bold=True, nl=False, err=True)
        typer.echo(plain(warning), err=True)


def print_file(text: str) -> None:
    """Write a file to standard output: inert on a terminal, to the letter elsewhere."""
    from cai.cli.output import plain

    shown = plain(text) if sys.stdout.isatty() else text
    typer.echo(shown, nl=not shown.endswith("\n"))
