"""`cai constitution show`: every principle in the words that the model sees."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.constitution.common import Ref, plain_console
from cai.wording import counted

if TYPE_CHECKING:
    from cai.constitution import Constitution, Principle

__all__ = ["Format", "show"]

_WORDINGS = {
    "text": "Principle",
    "critique": "Critique",
    "revise": "Revise",
    "judge": "Judge",
    "source": "Source",
    "note": "Note",
}


class Format(StrEnum):
    """How `show` writes a constitution."""

    text = "text"
    yaml = "yaml"
    json = "json"


def show(
    constitution: Ref,
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
    from cai.constitution.write import resolved_yaml, schema_beside

    loaded = load_constitution(constitution)
    if format_ is Format.json:
        import json

        data = {"format": 1, **loaded.model_dump(mode="json"), "hash": loaded.hash}
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
    elif format_ is Format.yaml:
        # Where a copy is most likely put; only the depth of the folder counts.
        place = Path("constitution", loaded.name, "draft.yaml")
        typer.echo(resolved_yaml(loaded, schema_beside(place)), nl=False)
    else:
        _print_text(loaded)


def _print_text(loaded: Constitution) -> None:
    """Panels on a terminal; elsewhere plain lines that are never wrapped or cut."""
    count = counted(len(loaded.principles), "principle")
    head = f"{loaded.label}  {count}  hash {loaded.hash[:12]}"
    console = plain_console()
    if not console.is_terminal:
        typer.echo(f"{head}\n{loaded.summary}")
        for label, text in _whole(loaded):
            typer.echo(f"{label}: {text}")
        for p in loaded.principles:
            typer.echo(f"\n{p.id}  ({_details(loaded, p)})")
            for label, text in _lines(p):
                typer.echo(f"  {label}: {text}")
        return
    from rich.panel import Panel
    from rich.text import Text

    console.print(Text(head, style="bold"), Text(loaded.summary), sep="\n")
    for label, text in _whole(loaded):
        console.print(Text.assemble((f"{label}: ", "bold"), text))
    for p in loaded.principles:
        body = Text("\n").join(
            Text.assemble((f"{label}: ", "bold"), wording) for label, wording in _lines(p)
        )
        title, subtitle = Text(p.id, style="bold"), Text(_details(loaded, p), style="dim")
        console.print(
            Panel(body, title=title, subtitle=subtitle, title_align="left", subtitle_align="left")
        )


def _whole(loaded: Constitution) -> list[tuple[str, str]]:
    """What is said of the constitution as a whole."""
    lines = [
        ("Preamble", loaded.preamble),
        ("Priorities", " > ".join(loaded.priorities)),
        ("Aggregate", loaded.aggregate or ""),
    ]
    return [(label, " ".join(text.split())) for label, text in lines if text]


def _details(loaded: Constitution, principle: Principle) -> str:
    tags = ", ".join(principle.tags) or "no tags"
    origin = loaded.origins.get(principle.id, "own")
    return f"weight {principle.weight:g}; {tags}" + (f"; from {origin}" if origin != "own" else "")


def _lines(principle: Principle) -> list[tuple[str, str]]:
    wordings = [(label, getattr(principle, field)) for field, label in _WORDINGS.items()]
    applies = [
        f"{how} of {', '.join(tags)}"
        for how, tags in principle.applies_to.model_dump().items()
        if tags
    ]
    more = [
        ("Only for prompts with", "; ".join(applies)),
        *((f"Score {level.score}", level.text) for level in principle.rubric),
        *((f"Proposition, weight {one.weight:g}", one.text) for one in principle.propositions),
        *(
            (f"Example {number}", f"{one.prompt} / better: {one.better} / worse: {one.worse}")
            for number, one in enumerate(principle.examples, 1)
        ),
    ]
    return [(label, " ".join(text.split())) for label, text in [*wordings, *more] if text]
