"""`cai report`: everything about a run in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cai.cli.check import Against, processes_for, progress_bar

__all__ = ["report"]


def report(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write, in place of RUN/report.html.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Draws the rows that are shown, and the bootstrap samples.")
    ] = 0,
    against: Against = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Also write a short summary to this Markdown file.")
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(help="Also show the checkpoints of this ledger of cai drift, over time."),
    ] = None,
) -> None:
    """Write a page about a run: labels, biases, quality, costs, and rows to read.

    One HTML file that opens from disk and loads nothing. Held-out rows are counted, never shown.
    Works while the run is going on.

    Example: cai report runs/default

    Example: cai report runs/default --against test.jsonl --markdown summary.md
    """
    from cai.cli.tables import print_text
    from cai.report import gather, render_html, render_markdown, write_page

    with progress_bar("Checked") as progress:
        figures = gather(
            run,
            seed=seed,
            against=against or (),
            progress=progress,
            processes=processes_for(run),
            ledger=ledger,
        )
    file = out or run / "report.html"
    page = render_html(figures)
    write_page(file, page)
    print_text(f"Wrote {file} ({len(page) / 1e6:,.2f} MB). Open it in a browser.")
    if markdown is not None:
        write_page(markdown, render_markdown(figures).encode())
        print_text(f"Wrote {markdown}.")
