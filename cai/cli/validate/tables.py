"""A report on people's labels, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.cli.tables import print_heading, print_table, print_text
from cai.validation.table import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.store.gate import GateVerdict
    from cai.validation.judged import Calibration, Slice
    from cai.validation.report import Report
    from cai.validation.statistics.agreement import Agreement
    from cai.validation.statistics.intervals import Interval
    from cai.validation.statistics.ppi import PPIEstimate

__all__ = ["print_gate", "print_report"]

_SHOWN = 12
"""Most principles and tags in a table."""


def print_report(report: Report) -> None:
    """Labels, agreement, annotators, the judge, and rates over all held-out pairs."""
    _print_labels(report)
    _print_agreement(report)
    _print_annotators(report)
    _print_judge(report)
    _print_estimates(report)


def print_gate(run: Path, verdict: GateVerdict) -> None:
    """The checks of the gate, and what they come to."""
    print_heading("Gate")
    print_table(
        ("", "What", "Wanted", "Found"),
        [("yes" if c.passed else "NO", c.name, c.wanted, c.found) for c in verdict.checks],
    )
    for what in verdict.lowered:
        print_text(f"Lowered threshold, which is kept with the verdict: {what}.")
    if verdict.passed:
        print_text(f"Passed with {verdict.labels} pairs: cai train may use the labels of {run}.")
        return
    print_text(
        f"Not passed: cai train refuses the labels of {run}. More labels or people: cai review "
        f"{run}. More pairs: cai validate plan {run} --labels N. A better judge or constitution: "
        "change them, generate with --update, and draw a new plan. --allow-unvalidated trains all "
        "the same."
    )


def _print_labels(report: Report) -> None:
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(report.labels.items()))
    settled = ", ".join(f"{n:,} {how}" for how, n in sorted(report.settled.items()))
    print_heading("Labels")
    print_table(
        ("What", "How much"),
        [
            ("Pairs that the plan asks for", f"{report.items:,} of {report.held_out:,}"),
            ("Pairs that people have labelled", f"{report.labelled:,}"),
            ("Labels that count now", kinds or "none"),
            ("How the label of a pair was settled", settled or "nothing to settle"),
        ],
    )
    if others := sum(n for kind, n in report.labels.items() if kind != "human"):
        print_text(f"{others:,} labels by models or simulated annotators count for nothing below.")
    if not report.labelled:
        print_text("Nobody has labelled pairs of this plan yet: cai review RUN.")


def _print_agreement(report: Report) -> None:
    print_heading("People against each other")
    if report.agreement.annotators < 2:
        print_text("Not run: agreement needs two people on the same pairs.")
        return
    rows = [("all", report.agreement), *report.by_principle.items(), *report.by_tag.items()]
    print_table(
        ("Pairs under", "Pairs", "Agree", "Cohen's κ", "Fleiss' κ", "Krippendorff's α"),
        [(name, a.pairable, *_measures(a)) for name, a in rows[: 1 + _SHOWN]],
        numbers=(1,),
    )


def _measures(agreement: Agreement) -> Iterator[str]:
    yield _share(agreement.percent)
    for interval in (agreement.cohen, agreement.fleiss, agreement.alpha):
        yield _figure(interval)


def _print_annotators(report: Report) -> None:
    if not report.annotators:
        return
    print_heading("Annotators")
    print_table(
        ("Name", "Labels", "Seconds", "Pace", "With the others", "Same again", "First slot"),
        [
            (
                *(annotator.name, found.labels, _plain(found.median_seconds)),
                *(_plain(found.pace), _share(found.agreement), _share(found.self_consistency)),
                _share(found.first_slot) + (" (biased)" if found.slot_biased else ""),
            )
            for annotator, found in report.annotators
        ],
        numbers=(1, 2, 3),
    )
    print_text(
        "Seconds: median per label. Pace: rank correlation of seconds and order, below 0 for one "
        "who speeds up. First slot: share of choices that named the answer shown first."
    )


def _print_judge(report: Report) -> None:
    judge, test = report.judge, report.alternative
    print_heading("Judge against people")
    lines = [
        ("Pairs with a label by people", f"{judge.n:,}, {judge.verdicts:,} with a verdict"),
        ("Cohen's κ", _figure(judge.kappa)),
        ("Alternative annotator test", f"{test.outcome.replace('_', ' ')}: {test.reason}"),
    ]
    if judge.calibration:
        lines += [
            ("ECE", f"{judge.calibration.ece:.3f}"),
            ("Brier score", f"{judge.calibration.brier:.3f}"),
        ]
    print_table(("What", "How much"), lines)
    if judge.confusion:
        said = dict.fromkeys(outcome for outcome, _ in judge.confusion)
        print_table(
            ("Judge said", *(f"people: {name}" for name in NAMES)),
            [(o, *(judge.confusion.get((o, name), 0) for name in NAMES)) for o in said],
            numbers=(1, 2, 3),
        )
    if judge.calibration:
        _print_reliability(judge.calibration)
    _print_slices("Principle", judge.principles)
    _print_slices("Tag", judge.tags)


def _print_reliability(calibration: Calibration) -> None:
    print_table(
        ("Judge says", "Pairs", "Is right", ""),
        [
            (
                *(f"{b.low:.2f} to {b.high:.2f}", b.n, _share(b.accuracy)),
                "█" * round(20 * b.accuracy.estimate),
            )
            for b in calibration.bins
        ],
        numbers=(1,),
    )


def _print_slices(title: str, slices: tuple[Slice, ...]) -> None:
    if slices:
        print_table(
            (title, "Pairs", "Label accuracy"),
            [(s.name, s.n, _share(s.accuracy)) for s in slices[:_SHOWN]],
            numbers=(1,),
        )


def _print_estimates(report: Report) -> None:
    found = report.estimates
    rows: list[tuple[str, PPIEstimate]] = []
    if found.accuracy:
        rows.append(("Label accuracy", found.accuracy))
    if found.win_rate:
        rows.append(("Revision beats original", found.win_rate))
    rows += [(f"Refusals among {name}", value) for name, value in found.refusals.items()]
    if not rows:
        return
    print_heading(f"All {report.held_out:,} held-out pairs, by people's labels and the judge's")
    print_table(
        ("What", "Estimate", "From people alone", "Labels", "Worth"),
        [
            (
                *(name, _ppi(e.estimate, e.low, e.high)),
                *(_ppi(e.classical, e.classical_low, e.classical_high), e.n_labelled),
                f"{e.n_worth:.0f}",
            )
            for name, e in rows
        ],
        numbers=(3, 4),
    )
    print_text("Worth: as many labels by people alone would be as exact (prediction-powered).")
    for text in dict.fromkeys(text for _, e in rows for text in e.warnings):
        print_text(f"Note: {text}")


def _ppi(estimate: float, low: float, high: float) -> str:
    return f"{estimate:.1%} [{low:.1%}, {high:.1%}]"


def _share(interval: Interval | None) -> str:
    return _ppi(interval.estimate, interval.low, interval.high) if interval else "not run"


def _figure(interval: Interval | None) -> str:
    if interval is None:
        return "not run"
    return f"{interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
