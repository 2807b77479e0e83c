"""What became of the revisions, round by round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Charts, Facts, Note, Section
from cai.report.charts import stacked_bars
from cai.report.format import counts

if TYPE_CHECKING:
    from cai.report.figures import Figures

__all__ = ["revisions_section"]

_PARTS = ("revised", "leaked", "skipped", "unchanged", "truncated", "refused", "empty")


def revisions_section(figures: Figures) -> Section:
    """Outcomes by round."""
    summary = figures.summary
    lead = (
        "A round criticises an answer and rewrites it. What leaked talks about the revision and "
        "could not be stripped; what was skipped had nothing to mend."
    )
    if not summary.rounds:
        none = Note("This run made no revisions.")
        return Section("revisions", "Revisions", lead, (none,))
    rounds = {f"Round {number}": found for number, found in summary.rounds.items()}
    chart = stacked_bars("rounds", "Revisions by round", rounds, _PARTS, "revisions")
    facts = Facts(
        (
            ("Revisions in all", counts(summary.revisions)),
            *((name, counts(found)) for name, found in rounds.items()),
            ("Revision beats original, of decided", str(summary.revision_preferred)),
        )
    )
    return Section("revisions", "Revisions", lead, (Charts((chart,)), facts))
