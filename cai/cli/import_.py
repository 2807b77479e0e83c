"""`cai import`: published comparisons with people's choices become a run with labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cai.cli.generate import EngineName
from cai.cli.published import Kind, PairFormatName

if TYPE_CHECKING:
    from cai.loop import Generation
    from cai.validation.exchange import Imported, Published

__all__ = ["Kind", "import_pairs"]


def import_pairs(
    file: Annotated[
        Path,
        typer.Argument(
            help="Comparisons: hh-rlhf dialogues, LLMBar, HHH alignment, PandaLM, or rows with "
            "prompt and two answers; JSONL or one JSON list, also gzip."
        ),
    ],
    run: Annotated[Path, typer.Option(help="Folder of the run.")],
    config: Annotated[
        Path | None,
        typer.Option(
            help="Its judge, constitution and split; the embedded model under harmless-helpful "
            "when absent."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use only the first so many comparisons.")
    ] = None,
    annotator: Annotated[
        str | None, typer.Option(help="Name for whoever chose; the file's name when absent.")
    ] = None,
    kind: Annotated[
        Kind,
        typer.Option(
            help="Who chose. 'human' fits files that publish people's choices; name another kind "
            "if a program chose, or its choices pass as people's."
        ),
    ] = Kind.human,
    held_out: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Share of the comparisons to hold out. People's choices are of use on held-out "
            "pairs only: 0.5 when absent, or what CONFIG says.",
        ),
    ] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(help="Engine of the judge; 'scripted' tries it without a model."),
    ] = None,
    format: Annotated[
        PairFormatName, typer.Option(help="How rows are read; by their keys when absent.")
    ] = PairFormatName.auto,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any key of the config.", metavar="KEY=VALUE"),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Go on although the file or the config has changed.")
    ] = False,
) -> None:
    """Bring published comparisons into a run: a judge compares them, people's choices label them.

    Start the same command again to go on after a stop: nothing that was answered is asked again.
    Of a prompt that repeats, the first comparison counts.

    Example: cai import harmless-base.jsonl.gz --run runs/published --limit 200
    """
    from cai.cli.published import carry_out
    from cai.cli.settings import overrides_of
    from cai.cli.tables import print_text
    from cai.validation.exchange import read_comparisons

    overrides = overrides_of(setting or [])
    given = {"run": str(run), "prompts.limit": limit, "split.held_out": held_out}
    overrides |= {key: value for key, value in given.items() if value is not None}
    published = read_comparisons(file, kind.value, format.value)
    generation, imported = carry_out(
        published, file, config, overrides, engine, annotator, kind.value, update=update
    )
    _print_result(generation, published, imported)
    print_text(f"\nDraw the pairs to validate:  cai validate plan {run}")


def _print_result(generation: Generation, published: Published, imported: Imported) -> None:
    from collections import Counter

    from cai.cli.tables import print_heading, print_table
    from cai.store import RunStore
    from cai.store.spending import dollars

    with RunStore.read(generation.folder) as store:
        counts, spent, totals = store.row_counts(), store.spent(), store.totals()
    rows: Counter[str] = Counter()
    for (_, status), count in counts.items():
        rows[status] += count
    held_out = counts.get(("held_out", "done"), 0)
    judged = sum(total.calls for total in totals if total.stage == "judge")
    left_out = sorted(published.left_out.items())
    who = "".join(f" by {one.name} ({one.kind})" for one in imported.annotators)
    print_heading(f"Run {generation.folder}")
    print_table(
        ("What", "How much"),
        [
            ("Comparisons read", f"{published.read:,}"),
            *((f"Left out: {why}", f"{count:,}") for why, count in left_out),
            ("Comparisons taken", f"{generation.source.total:,}"),
            ("Rows judged", f"{rows['done']:,} done, {rows['failed']:,} failed"),
            ("Held out", f"{held_out:,} of them"),
            ("Calls of the judge", f"{judged:,}"),
            ("Dollars", dollars(spent.usd, spent.unpriced_calls, judged + spent.lost_calls)),
            (f"Labels{who}", f"{imported.actions_new:,} new, {imported.actions_known:,} known"),
        ],
    )
