"""What `cai drift` keeps: adding checkpoints, listing them, and dividing an incident's cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cai.cli.compare import print_sheets

__all__ = ["DEFAULT", "LedgerFolder", "add", "incident", "list_"]

DEFAULT = Path("drift")

LedgerFolder = Annotated[
    Path | None, typer.Option("--ledger", help="Folder of the ledger; 'drift' when absent.")
]


def add(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A run with evaluations, a folder of cai train, or a folder of cai evaluate; "
            "PATH:NAME is one of several models.",
        ),
    ],
    ledger: LedgerFolder = None,
    name: Annotated[
        str | None, typer.Option(help="Name in the ledger; the reference itself when absent.")
    ] = None,
    constitution: Annotated[
        str | None,
        typer.Option(metavar="NAME[@VERSION]|FILE", help="The constitution of its data."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="The base model, where its trainings do not tell.")
    ] = None,
) -> None:
    """Add an evaluated checkpoint to the ledger, with a copy of its results.

    An entry is never changed. Adding the newest one again does nothing.

    Example: cai drift add runs/second:dpo --name 2026-12
    """
    from cai.cli.tables import print_text
    from cai.compare import find_model, recognise
    from cai.constitution import load_constitution
    from cai.drift import Ledger, entry_of
    from cai.errors import UsageError

    thing = recognise(model)
    if "model" not in thing.kinds:
        raise UsageError(
            f"{model} is a {thing.kinds[0]}, and no model with evaluations. Allowed: a run with "
            "evaluations, a folder of cai train or of cai evaluate."
        )
    found = find_model(thing)
    told = None if constitution is None else load_constitution(constitution)
    known = entry_of(found, name=name, constitution=told, base=base)
    book = Ledger(ledger or DEFAULT)
    entry = book.add(known, found.results)
    if entry is None:
        print_text(f"{known.entry.name} is the newest of {book.path} already. Nothing was added.")
        return
    kinds = ", ".join(sorted(entry.results))
    print_text(f"Added {entry.name} to {book.path}: {kinds}. Compare it with: cai drift")


def list_(ledger: LedgerFolder = None) -> None:
    """Show all checkpoints of the ledger.

    Example: cai drift list
    """
    from cai.cli.drift_output import ledger_sheet
    from cai.drift import Ledger

    print_sheets([ledger_sheet(Ledger(ledger or DEFAULT).entries())])


def incident(
    cases: Annotated[
        Path, typer.Argument(help="New red-team cases, as for cai evaluate refusal --cases.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for both files.")] = Path("incident"),
    keep: Annotated[
        float,
        typer.Option(min=0.01, max=0.99, help="Share of the cases that is kept to measure with."),
    ] = 0.5,
) -> None:
    """Divide the cases of an incident into some to measure with and prompts to train on.

    Like cases stay on one side, by a hash: twins, and near-duplicate prompts.

    Example: cai drift incident leaked-prompts.yaml --out incident
    """
    from cai.cli.drift_output import redo_sheet
    from cai.cli.tables import print_text
    from cai.drift.incident import CASES, PROMPTS, split_cases, write_parts
    from cai.drift.redo import for_incident
    from cai.evaluate.floor import LEAST_CLUSTERS
    from cai.evaluate.refusal import read_cases

    measured, trained = split_cases(read_cases([cases]), keep=keep)
    write_parts(out, measured, trained)
    print_text(f"Wrote {out / CASES} ({len(measured)}) and {out / PROMPTS} ({len(trained)}).")
    if len(measured) < LEAST_CLUSTERS:
        print_text(f"Rates over fewer than {LEAST_CLUSTERS} cases have no number: add cases.")
    print_sheets([redo_sheet("What to do", for_incident(len(measured), len(trained)))])
