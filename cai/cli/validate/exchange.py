"""`cai validate export` and `cai validate import`: labelling in other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.import_ import Kind

if TYPE_CHECKING:
    from cai.validation.exchange import Imported

__all__ = ["ReadFormat", "WriteFormat", "export", "import_"]


class WriteFormat(StrEnum):
    """Formats of items."""

    csv = "csv"
    label_studio = "label-studio"
    argilla = "argilla"


class ReadFormat(StrEnum):
    """Formats of labels."""

    auto = "auto"
    csv = "csv"
    label_studio = "label-studio"
    argilla = "argilla"
    jsonl = "jsonl"


_NEXT = {
    WriteFormat.csv: "Fill in the columns choice (a, b, tie, both_bad or skip) and annotator; "
    "leave item_id and key as they are.",
    WriteFormat.label_studio: "Make a project, paste the .xml file into its labelling interface "
    "(Code), import the .json file, label, and export as JSON.",
    WriteFormat.argilla: "Make a data set with the text fields prompt, answer_a and answer_b, and "
    "the question 'choice' with the labels a, b, tie, both_bad and skip.",
}


def export(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    format: Annotated[WriteFormat, typer.Option(help="What the other tool reads.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write, in place of RUN/validation/items-….")
    ] = None,
) -> None:
    """Write the items of the current plan, to be labelled in another tool.

    Prompts and answers alone are written: no verdict, no model. Which answer is shown as A is drawn
    by hash, and the key of each item remembers it for 'cai validate import'.

    Example: cai validate export runs/default --format label-studio
    """
    from cai.cli.tables import print_text
    from cai.store import RunStore
    from cai.validation.exchange import export_items
    from cai.validation.exchange.exporting import default_path

    with RunStore.read(run) as store:
        written = export_items(store, out or default_path(run, format.value), format.value)
    print_text(f"{written.items:,} items in {', '.join(map(str, written.files))}")
    print_text(f"{_NEXT[format]}\nThen: cai validate import {run} FILE --kind human")


def import_(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    file: Annotated[
        Path,
        typer.Argument(help="Labels: a CSV sheet, a Label Studio or Argilla export, or JSONL."),
    ],
    kind: Annotated[
        Kind,
        typer.Option(
            help="Who gave the labels. Always to be said: labels of a program must not pass as "
            "people's, and only those of people count for agreement, estimates and the gate."
        ),
    ],
    format: Annotated[
        ReadFormat, typer.Option(help="Format of the file; 'auto' looks at it.")
    ] = ReadFormat.auto,
    annotator: Annotated[
        str | None,
        typer.Option(help="Who gave all labels of the file, in place of the name that it has."),
    ] = None,
) -> None:
    """Read labels that were given in another tool.

    The same file a second time changes nothing; an edited label replaces the earlier one.

    Example: cai validate import runs/default labels.csv --kind human --annotator Ada
    """
    from cai.store import RunStore
    from cai.validation.exchange import import_labels

    with RunStore.read(run):
        # Opening for writing would make a run where there is none.
        pass
    with RunStore.open(run) as store:
        imported = import_labels(store, file, format.value, kind=kind.value, annotator=annotator)
    _print(imported)


def _print(imported: Imported) -> None:
    from cai.cli.tables import print_table

    who = ", ".join(f"{one.name} ({one.kind})" for one in imported.annotators)
    rows = [
        ("Annotators", who),
        ("New labels", f"{imported.actions_new:,}"),
        ("Known before", f"{imported.actions_known:,}"),
        ("Replaced by later ones", f"{imported.older:,}"),
        ("Not in the current plan", f"{imported.skipped:,}"),
        ("Without a choice", f"{imported.empty:,}"),
    ]
    print_table(("What", "How much"), rows)
