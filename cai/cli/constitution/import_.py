"""`cai constitution import`: a constitution from another project's file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.constitution.exchange import SourceLayout, layout_of, print_file, say, warn
from cai.wording import counted

if TYPE_CHECKING:
    from cai.constitution.exchange import Imported

__all__ = ["import_"]


def import_(
    file: Annotated[Path, typer.Argument(help="JSON, JSONL, Markdown or plain text.")],
    layout: Annotated[
        SourceLayout,
        typer.Option("--format", help="Its layout; recognised by what is in it when absent."),
    ] = SourceLayout.auto,
    name: Annotated[
        str | None, typer.Option(help="Name of the constitution; that of the file when absent.")
    ] = None,
    version: Annotated[str, typer.Option(help="Its version.")] = "1.0.0",
    out: Annotated[
        Path | None,
        typer.Option(help="YAML file to write, such as NAME/1.0.0.yaml; printed when absent."),
    ] = None,
    summary: Annotated[
        str | None, typer.Option(help="For whom it is, and what it wants, in a sentence.")
    ] = None,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete",
            help="Write generic wordings where a principle has none to critique, revise or judge "
            "by. Without it they stay empty, and the principle is not drawn for that.",
        ),
    ] = False,
    prompts: Annotated[
        Path | None,
        typer.Option(help="JSONL to write the questions of open-character to, as prompts."),
    ] = None,
    chats: Annotated[
        Path | None,
        typer.Option(help="JSONL to write the few-shot chats of llm-swarm to."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Turn principles from another project's file into a constitution.

    Reads the Constitutional AI paper's JSON, llm-swarm, Open Character Training, annotated pairs of
    Inverse Constitutional AI, and lists in Markdown or plain text. Says what it had to make up or
    leave out. Check the licence of what you import.

    Example: cai constitution import principles.md --out my-rules/1.0.0.yaml
    """
    from cai.constitution.exchange import import_constitution
    from cai.constitution.write import check_place, schema_beside, write_files

    imported = import_constitution(
        file,
        layout=layout_of(layout),
        name=name or _name_for(out),
        version=version,
        summary=summary,
        complete=complete,
    )
    texts: dict[Path, str] = {}
    if out is not None:
        check_place(out, imported.file.name, imported.file.version)
        texts[out] = imported.yaml(schema_beside(out))
    texts |= _beside(imported, prompts, chats)
    write_files(texts, force=force, inputs=(file,))
    _report(imported, prompts, chats)
    if out is None:
        print_file(imported.yaml(schema_beside(None)))
    written = f" Wrote {', '.join(map(str, texts))}." if texts else ""
    follow = f"\nNext:  cai constitution lint {out}" if out else ""
    whole = imported.constitution
    say(
        f"{whole.label}: {counted(len(whole.principles), 'principle')} from "
        f"{imported.source.name} ({imported.layout}), hash {whole.hash[:12]}.{written}{follow}"
    )


def _beside(imported: Imported, prompts: Path | None, chats: Path | None) -> dict[Path, str]:
    from cai.errors import UsageError

    texts: dict[Path, str] = {}
    for option, path, found, lines in (
        ("--prompts", prompts, imported.questions, imported.question_lines),
        ("--chats", chats, imported.chats, imported.chat_lines),
    ):
        if path is None:
            continue
        if not found:
            what = "questions" if option == "--prompts" else "few-shot chats"
            raise UsageError(
                f"{option} {path}: {imported.source.name} ({imported.layout}) has no {what}. "
                f"Leave {option} out."
            )
        texts[path] = lines()
    return texts


def _report(imported: Imported, prompts: Path | None, chats: Path | None) -> None:
    warn(imported.warnings)
    questions = sum(map(len, imported.questions.values()))
    if questions and prompts is None:
        warn([f"{counted(questions, 'question')} not kept. --prompts FILE writes them as prompts."])
    if imported.chats and chats is None:
        count = counted(len(imported.chats), "few-shot chat")
        warn([f"{count} not kept. --chats FILE writes them, and export --chats puts them back."])
    for one, votes in imported.votes.items():
        both = votes.agreed + votes.disagreed
        share = "" if votes.share is None else f" ({votes.share:.0%})"
        agreed = f"agreed with {votes.reference} in {votes.agreed:,} of {both:,}{share}"
        say(f"  {one}: {agreed}; {votes.without:,} without a preference")


def _name_for(out: Path | None) -> str | None:
    """The folder of a draft, `constitution/<name>/draft.yaml`, is named like the constitution."""
    import re

    if out is None or out.name != "draft.yaml":
        return None
    folder = out.absolute().parent.name
    return folder if re.fullmatch(r"[a-z0-9]+(?:[.-][a-z0-9]+)*", folder) else None
