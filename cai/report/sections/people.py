"""What people's labels say of the judge, and the verdict of the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.blocks import Charts, Facts, Note, Section, Table
from cai.report.charts import reliability_chart
from cai.report.format import counts, decimal, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.report.blocks import Block
    from cai.report.figures import Figures, People
    from cai.store.gate import GateVerdict
    from cai.validation.judged import JudgeAgainstPeople
    from cai.validation.report import Report
    from cai.validation.statistics.intervals import Interval

__all__ = ["people_section", "verdict_note"]

_LEAD = (
    "Held-out pairs that people labelled, against the judge. Labels by models and simulated "
    "annotators count for nothing here."
)


def verdict_note(people: People) -> Note:
    """The state of validation in one sentence."""
    if people.gate is not None:
        verdict, holds = people.gate
        if not holds:
            return Note(
                "Not validated: labels, plan, run or toolkit have changed since the verdict.",
                "warn",
            )
        if verdict.passed:
            return Note(f"Validated: the gate was passed on {verdict.labels:,} pairs.", "good")
        return Note("Not validated: the gate was not passed.", "bad")
    if people.labelled:
        return Note("Not validated: people have labelled pairs, the gate was not asked.", "warn")
    return Note("Not validated by people.", "warn")


def people_section(figures: Figures) -> Section:
    """Agreement, accuracy and calibration, as far as there are labels by people."""
    people = figures.people
    blocks: list[Block] = [verdict_note(people)]
    if people.gate is not None:
        blocks.append(_gate(people.gate[0]))
    else:
        blocks.append(Note("The gate was not asked for a verdict on this run."))
    if people.report is None:
        blocks.append(Note(f"There is no reliability diagram: {_lower(people.problem)}"))
    elif not people.labelled:
        blocks.append(
            Note(
                f"There is no reliability diagram: people have labelled none of the "
                f"{people.report.items:,} sampled pairs."
            )
        )
    else:
        blocks += _judged(people.report)
    return Section("people", "The judge against people", _LEAD, tuple(blocks))


def _gate(verdict: GateVerdict) -> Table:
    rows = tuple(
        ("passed" if check.passed else "not passed", check.name, check.wanted, check.found)
        for check in verdict.checks
    )
    caption = f"Verdict of the gate, {verdict.created[:10]}"
    return Table(caption, ("Result", "Check", "Wanted", "Found"), rows)


def _judged(report: Report) -> Iterator[Block]:
    judge = report.judge
    if judge.calibration is not None:
        yield Charts((reliability_chart("reliability", judge.calibration.bins),))
    else:
        yield Note("There is no reliability diagram: no labelled pair has a probability.")
    yield Facts(tuple(_facts(report)))
    if judge.confusion:
        yield _confusion(judge)


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    judge, alpha = report.judge, report.agreement.alpha
    yield "Pairs labelled by people", f"{report.labelled:,} of {report.items:,} sampled"
    yield "Labels by kind of annotator", counts(report.labels)
    yield "How people's labels were settled", counts(report.settled)
    yield "Krippendorff's α between people", _interval(alpha)
    yield "Cohen's κ, judge and people", _interval(judge.kappa)
    accuracy = report.estimates.accuracy
    if accuracy is None:
        yield "Accuracy of decided labels", "not computed: it needs two labelled pairs"
    else:
        said = f"{accuracy.estimate:.1%} [{100 * accuracy.low:.1f}, {100 * accuracy.high:.1f}]"
        yield "Accuracy of decided labels", f"{said}, prediction-powered, over all held-out pairs"
    if judge.calibration:
        found = judge.calibration
        yield "Expected calibration error", f"{decimal(found.ece)} over {found.n:,} pairs"
        yield "Brier score", decimal(found.brier)
    for one in judge.tags[:5]:
        yield f"Right on pairs tagged {one.name}", f"{share(one.accuracy)} of {one.n:,}"


def _interval(found: Interval | None) -> str:
    if found is None:
        return "not computed"
    said = f"{found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}]"
    return said if found.trusted else f"{said}, not to be trusted: too many draws left out"


def _confusion(judge: JudgeAgainstPeople) -> Table:
    names = ("first", "second", "tie")
    rows = [
        (said, *(f"{judge.confusion.get((said, people), 0):,}" for people in names))
        for said in dict.fromkeys(said for said, _ in judge.confusion)
    ]
    columns = ("Judge", *(f"People: {name}" for name in names))
    return Table("Verdicts against people's labels", columns, tuple(rows), frozenset({1, 2, 3}))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
