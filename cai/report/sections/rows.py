"""Rows to read: some at random, and the worst."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Section, Transcripts
from cai.report.choice import WORST

if TYPE_CHECKING:
    from cai.report.figures import Figures

__all__ = ["rows_section"]


def rows_section(figures: Figures) -> Section:
    """Transcripts of rows of train and dev."""
    drawn, worst = figures.drawn, figures.worst
    nothing = "No row of the splits train and dev is finished."
    return Section(
        "rows",
        "Rows to read",
        "Transcripts of rows of the splits train and dev. Held-out rows are for people who label, "
        "and are not in this page. Long texts are cut.",
        (
            Transcripts(
                "Drawn at random",
                f"{len(drawn):,} rows, drawn by a hash of the seed {figures.seed} and their ids.",
                drawn,
                nothing,
            ),
            Transcripts(
                "The worst",
                WORST,
                worst,
                "No row has a fault by this definition." if drawn else nothing,
            ),
        ),
    )
