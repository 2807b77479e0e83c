"""The whole report as a document: first figures, verdict, then the sections in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Document, Note, Tile, Tiles
from cai.report.format import share
from cai.report.sections.bias import bias_section
from cai.report.sections.costs import costs_section
from cai.report.sections.evaluation import evaluation_section
from cai.report.sections.labels import labels_section
from cai.report.sections.made import made_section
from cai.report.sections.over_time import over_time_section
from cai.report.sections.people import people_section, verdict_note
from cai.report.sections.pipeline import pipeline_section
from cai.report.sections.principles import principles_section
from cai.report.sections.quality import quality_section
from cai.report.sections.revisions import revisions_section
from cai.report.sections.rows import rows_section
from cai.report.sections.training import training_section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.report.blocks import Section
    from cai.report.figures import Figures

__all__ = ["make_document"]

_TWO_COINS = 0.5


def make_document(figures: Figures) -> Document:
    """Put the figures in order: what was found, then what it was made with, then rows to read."""
    made = figures.made
    return Document(
        title=made.name,
        about=f"What the run “{made.run}” made, how sure its judge is, and how far to trust it.",
        verdict=verdict_note(figures.people),
        doubts=tuple(_doubts(figures)),
        tiles=Tiles(tuple(_tiles(figures))),
        sections=(
            *_models(figures),
            labels_section(figures),
            people_section(figures),
            bias_section(figures),
            principles_section(figures),
            revisions_section(figures),
            quality_section(figures),
            made_section(figures),
            costs_section(figures),
            *_pipeline(figures),
            rows_section(figures),
        ),
    )


def _doubts(figures: Figures) -> Iterator[Note]:
    """That labels are noise, where the places of the answers decide as much as the answers."""
    agree = figures.judge.orders.consistency
    if agree is not None and agree.low <= _TWO_COINS:
        yield Note(
            f"The judge names the same answer in both orders in {share(agree)} of the pairs; two "
            "coins would in half of them. It cannot be told from one that goes by place or by "
            "luck: take its labels, and all that follows from them, for noise.",
            "bad",
        )


def _pipeline(figures: Figures) -> Iterator[Section]:
    """What `cai run` has added to the run, as far as there is something."""
    if figures.stages is not None:
        yield pipeline_section(figures)


def _models(figures: Figures) -> Iterator[Section]:
    """The models that were made of the run, where there are any."""
    if figures.evaluation:
        yield evaluation_section(figures)
    if figures.checkpoints is not None:
        yield over_time_section(figures.checkpoints)
    if figures.trainings:
        yield training_section(figures)


def _tiles(figures: Figures) -> Iterator[Tile]:
    summary, orders = figures.summary, figures.judge.orders
    admitted = sum(figures.made.rows.values())
    yield Tile("Prompts finished", f"{summary.rows:,}", f"of {admitted:,} admitted")
    decided = f"{summary.decided_pairs:,} with a winner"
    yield Tile("Pairs judged", f"{summary.judged_pairs:,}", decided)
    won = summary.revision_preferred
    if won.n:
        yield Tile("Revision beats original", f"{won.value:.1%}", f"{won.count:,} of {won.n:,}")
    if orders.consistency:
        detail = f"{share(orders.consistency).partition(' ')[2]} of {orders.consistency_n:,} pairs"
        yield Tile("Both orders agree", f"{orders.consistency.estimate:.1%}", detail)
    usd = figures.spending.usd_per_1000_pairs
    price = "unknown" if usd is None else f"${usd:,.2f}" if usd else "free"
    yield Tile("1,000 judged pairs", price, f"{figures.spending.spent.tokens:,} tokens in all")
    people = figures.people.labelled
    yield Tile("Labelled by people", f"{people:,}", "held-out pairs")
