"""What sways the judge: order, length, its own answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Charts, Facts, Note, Section, Table
from cai.report.charts import interval_chart
from cai.report.format import counts, decimal, estimate, points, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.report.blocks import Block
    from cai.report.charts import Estimate
    from cai.report.figures import Figures
    from cai.validation.bias import JudgeReport

__all__ = ["bias_section", "gold_words"]


def bias_section(figures: Figures) -> Section:
    """Rates that are near one half, or near one, for a judge that nothing sways."""
    report, summary = figures.judge, figures.summary.judge
    lead = (
        "Each rate has a 95% interval from a bootstrap over prompt groups. A judge that looks at "
        "nothing but the answers prefers the first slot half of the time."
    )
    if not report.pairs:
        none = Note("No pair was judged, so nothing is known of the judge's biases.", "warn")
        return Section("bias", "What sways the judge", lead, (none,))
    leaning, steady = list(_leaning(report)), list(_steady(report))
    charts = []
    if leaning:
        charts.append(
            interval_chart(
                *("leaning", "Preferences that should be near one half", leaning),
                "Share of verdicts",
                reference=0.5,
                meaning="no preference",
            )
        )
    if steady:
        title = "Order consistency and accuracy"
        charts.append(interval_chart("steady", title, steady, "Share of pairs"))
    blocks: list[Block] = [Charts(tuple(charts))] if charts else []
    if not report.orders.consistency:
        blocks.append(Note("Order consistency is not known: no pair has a winner in both orders."))
    blocks.append(Note(f"Self-preference: {_own(report)}"))
    blocks.append(Note(gold_words(report)))
    blocks.append(
        Facts(
            (
                ("Single answers of the judge", counts(summary.orders)),
                ("Prefers the answer shown first", str(summary.first_slot)),
                ("Orders name different winners", str(summary.flip)),
                ("One order names the winner of both", str(summary.single_order)),
                ("A label replaced by its bound", str(summary.bounded)),
                ("Mean probability of the labels", decimal(summary.mean_mass)),
                ("Read from short samples", str(summary.voted)),
            )
        )
    )
    blocks += _length(report)
    return Section("bias", "What sways the judge", lead, tuple(blocks))


def gold_words(report: JudgeReport) -> str:
    """Who gave the labels that accuracy is measured by."""
    gold = report.gold
    if gold.kind is None:
        return "Nobody has labelled pairs of this run, so accuracy is not known."
    who = {"human": "people", "model": "models", "simulated": "simulated annotators"}[gold.kind]
    warning = "" if gold.kind == "human" else " These are no labels by people."
    return (
        f"Accuracy is measured by {gold.pairs:,} labels by {who}, {gold.ties:,} ties among them; "
        f"{gold.disputed:,} more pairs are disputed.{warning}"
    )


def _leaning(report: JudgeReport) -> Iterator[Estimate]:
    orders, own = report.orders, report.own
    if orders.first_slot:
        of = f"{orders.first_slot_n:,} single answers"
        yield estimate("Prefers what was shown first", orders.first_slot, of)
    if report.length_rules.prefers_longer:
        yield estimate("Prefers the longer answer", report.length_rules.prefers_longer, "pairs")
    if own.judge:
        yield estimate("Prefers its own answers", own.judge, f"{own.n:,} pairs")
    if own.gold:
        yield estimate("Labels prefer them", own.gold, f"{own.gold_n:,} pairs")


def _steady(report: JudgeReport) -> Iterator[Estimate]:
    orders, found = report.orders, report.accuracy
    if orders.consistency:
        of = f"{orders.consistency_n:,} pairs"
        yield estimate("Both orders name one winner", orders.consistency, of)
    if found.verdict:
        yield estimate("Right, the run's verdict", found.verdict, f"{found.n:,} labelled pairs")
    if found.both:
        yield estimate("Right, orders averaged", found.both, f"{found.both_n:,} labelled pairs")
    if found.single:
        yield estimate("Right, one order alone", found.single, f"{found.both_n:,} labelled pairs")


def _own(report: JudgeReport) -> str:
    own = report.own
    if own.judge is None:
        return f"not computed, because {own.not_run or 'there are too few pairs'}."
    said = f"the judge prefers answers of its own model in {share(own.judge)} of {own.n:,} pairs"
    if own.excess:
        return f"{said}, {points(own.excess)} more than the labels do."
    return f"{said}; {own.not_run or 'too few of them are labelled to say more'}."


def _length(report: JudgeReport) -> Iterator[Block]:
    if not report.length_fits:
        yield Note("Length preference could not be fitted: too few pairs differ in length.")
        return
    rows = tuple(
        (
            *(fit.name, fit.target, f"{fit.n:,}"),
            f"{fit.slope.estimate:+.2f} [{fit.slope.low:+.2f}, {fit.slope.high:+.2f}]",
            share(fit.at_zero) if fit.at_zero else "one half, by definition",
        )
        for fit in report.length_fits
    )
    columns = ("Preference for", "Read from", "Pairs", "Slope φ", "At equal length")
    yield Table("Length preference: φ above 0 likes longer answers", columns, rows, frozenset({2}))
