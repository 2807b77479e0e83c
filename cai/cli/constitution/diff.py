"""`cai constitution diff`: what is different between two constitutions."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.constitution.common import Ref

if TYPE_CHECKING:
    from rich.text import Text

    from cai.cli.constitution.diff_blocks import Block
    from cai.constitution.diff import Diff, Run

__all__ = ["DiffFormat", "diff"]

_STYLES = {"same": "", "removed": "red strike", "added": "green underline"}
_MARKS = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
_SIGNS = {"+": "bold green", "-": "bold red", "~": "bold yellow"}


class DiffFormat(StrEnum):
    """How `diff` writes what it found."""

    text = "text"
    json = "json"
    markdown = "markdown"


def diff(
    before: Ref,
    after: Ref,
    format_: Annotated[
        DiffFormat,
        typer.Option(
            "--format", help="text to read; json for programs; markdown for a pull request."
        ),
    ] = DiffFormat.text,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="End with 1 when they differ in more than name and version."
        ),
    ] = False,
) -> None:
    """Show what is different between two constitutions, principle by principle, word by word.

    They are compared as they are used, with every principle of parents and families in place.
    Where there are no colours, [-words-] are gone and {+words+} are new.

    Example: cai constitution diff my-rules@1.0.0 constitution/my-rules/draft.yaml
    """
    from cai.constitution import load_constitution
    from cai.constitution.diff import diff as compare

    change = compare(load_constitution(before), load_constitution(after))
    if format_ is DiffFormat.json:
        import json

        from cai.constitution.diff import plain_diff

        typer.echo(json.dumps(plain_diff(change), indent=2, ensure_ascii=True))
    elif format_ is DiffFormat.markdown:
        from cai.cli.constitution.diff_markdown import diff_markdown

        typer.echo(diff_markdown(change), nl=False)
    else:
        _print_text(change)
    if exit_code and not change.empty:
        raise typer.Exit(1)


def _print_text(change: Diff) -> None:
    from cai.cli.constitution.diff_blocks import blocks, summary
    from cai.cli.output import console, plain

    coloured = console().is_terminal
    for line in summary(change):
        typer.echo(plain(line))
    for block in blocks(change):
        if coloured:
            for styled in _styled(block):
                console().print(styled, soft_wrap=True)
        else:
            typer.echo(plain(_marked(block)))


def _marked(block: Block) -> str:
    rows = (f"\n    {label}: {_text(runs)}" for label, runs in block.rows)
    return f"\n{block.sign} {block.title}{''.join(rows)}"


def _text(runs: tuple[Run, ...]) -> str:
    text = "".join(_MARKS[run.kind].format(run.text) for run in runs)
    return text.replace("\n", "\n      ")


def _styled(block: Block) -> list[Text]:
    from rich.text import Text

    from cai.cli.output import plain

    lines = [Text(f"\n{block.sign} {plain(block.title)}", style=_SIGNS[block.sign])]
    for label, runs in block.rows:
        parts = ((plain(run.text), _STYLES[run.kind]) for run in runs)
        lines.append(Text.assemble("    ", (f"{label}: ", "bold"), *parts))
    return lines
