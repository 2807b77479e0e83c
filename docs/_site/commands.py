"""The pages about commands, made from the command line itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer
from lists import contents
from typer.cli import get_docs_for_click

from cai.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_commands"]

_EXAMPLE = re.compile(r"^Example: ((?:.+\n)+)", re.MULTILINE)


def write_commands(folder: Path) -> None:
    """Write a page for each command or group of commands, and one that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    root = typer.main.get_group(app)
    context = typer.Context(root, info_name="cai")
    lines = ["# Commands", "", "| command | what it does |", "| --- | --- |"]
    names = root.list_commands(context)
    for name in names:
        command = root.get_command(context, name)
        if command is None or command.hidden:
            continue
        text = get_docs_for_click(obj=command, ctx=context, name=name, call_prefix="cai")
        text = _EXAMPLE.sub(r"Example:\n\n```bash\n\1```\n", text)
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
        lines.append(f"| [`cai {name}`]({name}.md) | {_first_line(command.help or '')} |")
    lines.append(contents(f"{name}.md" for name in names))
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")


def _first_line(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")
