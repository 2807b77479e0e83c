"""What was made: constitution, models, prompts, splits and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Facts, Fold, Note, Section, Table, Tables
from cai.report.format import counts

if TYPE_CHECKING:
    from cai.records import Split
    from cai.report.blocks import Block
    from cai.report.figures import Figures

__all__ = ["made_section"]

_SPLITS: tuple[Split, ...] = ("train", "dev", "held_out", "quarantine")
_USUAL: tuple[Split, ...] = ("train", "dev", "held_out")
"""Splits that are shown even when they are empty."""
_STATUSES = ("done", "failed", "waiting")


def made_section(figures: Figures) -> Section:
    """Everything that identifies the run, and how much there is of it."""
    made, summary = figures.made, figures.summary
    rows = [
        (split, *(f"{made.rows.get((split, status), 0):,}" for status in _STATUSES))
        for split in _SPLITS
        if split in _USUAL or any(made.rows.get((split, status)) for status in _STATUSES)
    ]
    blocks: list[Block] = [
        Note(made.summary or "The constitution has no summary."),
        Facts(
            (
                *made.facts,
                ("First answers", counts(summary.samples)),
                ("Unusable first answers", f"{summary.unusable_samples:,}"),
                ("Revisions", counts(summary.revisions)),
                ("Pairs", counts(summary.pairs)),
            )
        ),
        Tables(
            (
                Table("Models by role", ("Role", "Asked for", "Answered as"), made.models),
                Table(
                    "Prompts by split", ("Split", *_STATUSES), tuple(rows), frozenset(range(1, 4))
                ),
            )
        ),
        Fold(
            f"The {len(made.principles):,} principles",
            Table(
                "Principles of the constitution",
                ("Principle", "Text", "Weight"),
                tuple((name, text, f"{weight:g}") for name, text, weight in made.principles),
                frozenset({2}),
            ),
        ),
        Fold("Hashes in full", Table("SHA-256 of", ("What", "Hash"), made.hashes)),
        Fold(
            "Prompt templates",
            Table("Prompt templates", ("Stage", "Name", "Version", "Hash"), made.templates),
        ),
    ]
    lead = "The constitution, models and prompts that the run was made with, and what came of them."
    return Section("made", "What was made", lead, tuple(blocks))
