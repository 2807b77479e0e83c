"""`cai constitution export`: a constitution in another project's layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cai.cli.constitution.common import Ref
from cai.cli.constitution.exchange import LayoutName, print_file, say, warn

if TYPE_CHECKING:
    from cai.constitution.exchange import Layout

__all__ = ["export"]


def export(
    constitution: Ref,
    layout: Annotated[LayoutName, typer.Option("--format", help="Whose layout to write.")],
    out: Annotated[Path | None, typer.Option(help="File to write; printed when absent.")] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(help="Questions for open-character, as import --prompts wrote them."),
    ] = None,
    chats: Annotated[
        Path | None,
        typer.Option(help="Few-shot chats for llm-swarm, as import --chats wrote them."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Write a constitution for tools that read other layouts, and say what is lost on the way.

    Example: cai constitution export harmless-helpful --format markdown --out rules.md
    """
    from cai.constitution import load_constitution
    from cai.constitution.exchange import export_constitution
    from cai.constitution.load import find_constitution, read_file
    from cai.constitution.write import write_files

    loaded = load_constitution(constitution)
    path = find_constitution(constitution)
    order = [p.id for p in read_file(path).principles]
    beside = _beside(layout.value, prompts, chats)
    exported = export_constitution(loaded, layout.value, order=order, **beside)
    warn(exported.warnings)
    if out is None:
        print_file(exported.text)
        return
    inputs = [one for one in (path, prompts, chats) if one]
    write_files({out: exported.text}, force=force, inputs=inputs)
    say(f"Wrote {loaded.label} to {out} ({layout.value}).")


def _beside(layout: Layout, prompts: Path | None, chats: Path | None) -> dict[str, Any]:
    from cai.constitution.exchange import LAYOUTS, chats_of, questions_of, read_source
    from cai.errors import UsageError

    holds = LAYOUTS[layout].holds
    for option, path, needed in (("--prompts", prompts, "questions"), ("--chats", chats, "chats")):
        if path is not None and holds != needed:
            raise UsageError(
                f"{option}: the layout {layout} has no place for {needed}. Leave {option} out."
            )
    return {
        "questions": questions_of(read_source(prompts)) if prompts else {},
        "chats": chats_of(read_source(chats)) if chats else (),
    }
