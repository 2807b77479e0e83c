"""How the labels are distributed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Charts, Facts, Note, Section
from cai.report.charts import histogram, stacked_bars
from cai.report.format import counts, decimal

if TYPE_CHECKING:
    from cai.report.blocks import Block
    from cai.report.charts import Chart
    from cai.report.figures import Figures

__all__ = ["labels_section"]

_PARTS = ("first", "second", "tie", "refused", "unparsed", "truncated")
_AXES = {
    "revision": "p: probability that the original is better",
    "samples": "p: probability that the first sample is better",
}
_OTHER = "p: probability that the first answer is better"


def labels_section(figures: Figures) -> Section:
    """Outcomes and probabilities by kind of pair."""
    summary = figures.summary
    lead = (
        "A label is a probability p that the first answer of a pair is better. In revision pairs "
        "the first answer is the original, the second one the revision."
    )
    if not summary.judged_pairs and not figures.spread:
        none = Note("This run has no judged pairs, so there are no labels to show.", "warn")
        return Section("labels", "Labels", lead, (none,))
    charts: list[Chart] = [
        histogram(f"p-{kind}", f"p of {kind} pairs", bins, _AXES.get(kind, _OTHER))
        for kind, bins in figures.spread.items()
    ]
    if summary.outcomes:
        kinds = {f"{kind} pairs": found for kind, found in sorted(summary.outcomes.items())}
        charts.append(stacked_bars("outcomes", "Verdicts by kind of pair", kinds, _PARTS, "pairs"))
    certainty, length = summary.certainty, summary.length
    quartiles = ", ".join(decimal(certainty.quantile(q)) for q in (0.25, 0.5, 0.75))
    items = [
        ("Pairs judged", f"{summary.judged_pairs:,}"),
        *((f"Preferred in {k} pairs", counts(v)) for k, v in sorted(summary.preferred.items())),
        ("Revision beats original, of decided", str(summary.revision_preferred)),
        ("Pairs without a verdict, by reason", counts(summary.not_judged)),
        ("Distance of p from 0.5, mean", decimal(certainty.mean)),
        ("Distance of p from 0.5, quartiles", quartiles),
        ("Chosen answer is the longer one", str(length.chosen_longer)),
        ("Mean length of chosen answers", _characters(length.mean_chosen)),
        ("Mean length of rejected answers", _characters(length.mean_rejected)),
    ]
    blocks: list[Block] = [Charts(tuple(charts)), Facts(tuple(items))]
    return Section("labels", "Labels", lead, tuple(blocks))


def _characters(mean: float | None) -> str:
    return "none" if mean is None else f"{mean:,.0f} characters"
