"""`cai compare`: two constitutions, data sets or models beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.compare.sheets import Sheet
    from cai.compare.things import Thing, ThingKind

__all__ = ["compare", "print_sheets"]

Reference = Annotated[
    str,
    typer.Argument(
        metavar="A|B",
        help="A constitution (name, NAME@VERSION, YAML file, folder), a data set (run, export, "
        "JSONL or Parquet file) or a model (folder of cai train or cai evaluate, run with "
        "evaluations); PATH:NAME is one of several models.",
    ),
]


def compare(
    before: Reference,
    after: Reference,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Also categories, principles and tags, what is equal, and words of principles.",
        ),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write everything to this JSON file.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Also write the tables to this Markdown file.")
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Bootstrap samples of each interval.")] = 2000,
) -> None:
    """Compare two constitutions, two data sets, or two models with their evaluations.

    What A and B are is told by what lies there. Differences are those of B less A, with 95 %
    intervals. All of it comes from files: no model is loaded and nothing is asked.

    Example: cai compare runs/first runs/second

    Example: cai compare runs/first:policy runs/first:dpo

    Example: cai compare harmless-helpful@1.0.0 constitution/mine/draft.yaml
    """
    from cai.cli.tables import print_heading, print_text
    from cai.compare import common_kinds, recognise

    things = recognise(before), recognise(after)
    kinds = common_kinds(*things)
    data: dict[str, Any] = {"format": 1, "before": before, "after": after}
    pages: list[Sheet] = []
    for kind in kinds:
        if len(kinds) > 1:
            print_heading(f"As {'data sets' if kind == 'data set' else 'models'}")
        plain, sheets = _compared(kind, *things, every=every, draws=draws)
        data[kind.replace(" ", "_")] = plain
        pages += sheets
        print_sheets(sheets)
    if json_file is not None:
        _write_json(json_file, data)
        print_text(f"Wrote {json_file}.")
    if markdown is not None:
        from cai.compare.sheets import render_markdown
        from cai.constitution.atomic import write_atomically

        write_atomically(markdown, render_markdown(f"{before} and {after}", pages))
        print_text(f"Wrote {markdown}.")


def print_sheets(sheets: Iterable[Sheet]) -> None:
    """Tables and remarks, inert on a terminal."""
    from cai.cli.tables import print_heading, print_table, print_text

    for sheet in sheets:
        print_heading(sheet.title)
        if sheet.rows:
            print_table(sheet.columns, sheet.rows, sheet.numbers)
        for note in sheet.notes:
            print_text(f"- {note}")


def _compared(
    kind: ThingKind, before: Thing, after: Thing, *, every: bool, draws: int
) -> tuple[Any, list[Sheet]]:
    """Plain data for programs, and tables."""
    if kind == "constitution":
        return _constitutions(before, after, every=every)
    if kind == "data set":
        from cai.compare import compare_data
        from cai.compare.data_sheets import data_sheets

        found = compare_data(before, after, draws=draws)
        return found.plain, list(data_sheets(found, every=every))
    from cai.compare import compare_models, find_model
    from cai.compare.model_sheets import model_sheets

    pair = compare_models(find_model(before), find_model(after), draws=draws)
    return pair.plain, list(model_sheets(pair, every=every))


def _constitutions(before: Thing, after: Thing, *, every: bool) -> tuple[Any, list[Sheet]]:
    from cai.cli.constitution.diff_blocks import blocks, heading
    from cai.compare.sheets import Sheet
    from cai.constitution import load_constitution
    from cai.constitution.diff import diff, facts, plain_diff

    change = diff(load_constitution(before.path), load_constitution(after.path))
    rows = tuple((one.bump, one.sentence) for one in facts(change))
    notes = () if every else ("Word by word: --all, or cai constitution diff.",)
    sheets = [Sheet(heading(change), ("Asks for", "Change"), rows, notes=notes)]
    if every:
        words = tuple(
            (
                f"{block.sign} {block.title}",
                label,
                " ".join("".join(_MARKS[r.kind].format(r.text) for r in runs).split()),
            )
            for block in blocks(change)
            for label, runs in block.rows
        )
        gone = "[-words-] are gone and {+words+} are new."
        sheets.append(Sheet("Word by word", ("About", "Field", "Text"), words, notes=(gone,)))
    return plain_diff(change), sheets


_MARKS = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}


def _write_json(path: Path, data: Any) -> None:
    import json

    from cai.constitution.atomic import write_atomically

    write_atomically(path, json.dumps(data, indent=2, ensure_ascii=True, default=list) + "\n")
