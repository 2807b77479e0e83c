"""`cai export`: write the training files of a run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cai.store.export import ExportFormat

__all__ = ["FileFormat", "SftChoice", "export"]


class FileFormat(StrEnum):
    """Formats that `--format` can name."""

    jsonl = "jsonl"
    parquet = "parquet"


class SftChoice(StrEnum):
    """What `--sft` can name."""

    final = "final"
    all = "all"


def export(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    formats: Annotated[
        list[FileFormat] | None,
        typer.Option("--format", help="File format; may be given twice. Both when absent."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to, in place of RUN/export.")
    ] = None,
    sft: Annotated[
        SftChoice,
        typer.Option(
            help="SFT rows from the last usable revision only, or from that of every round."
        ),
    ] = SftChoice.final,
    layouts: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            metavar="LAYOUT",
            help="What the rows look like: trl (when absent), ultrafeedback, openai, kto, reward, "
            "rankings, ratings, edits, alpaca or rl-prompts; may be given several times.",
        ),
    ] = None,
) -> None:
    """Write preference pairs and SFT rows for training, with a data-set card and a manifest.

    Works while the run is going on: finished rows are written. Held-out rows never are.

    Example: cai export runs/default --format parquet

    Example: cai export runs/default --as trl --as kto --out kto
    """
    from cai.cli.tables import print_files, print_left_out
    from cai.store import RunStore
    from cai.store.export import export as export_run

    wanted: list[ExportFormat] = [f.value for f in formats or FileFormat]
    with RunStore.read(run) as store:
        result = export_run(store, out, wanted, sft.value, layouts or ("trl",))
    print_files(result)
    print_left_out(result)
