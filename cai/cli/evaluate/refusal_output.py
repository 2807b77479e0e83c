"""What `cai evaluate refusal` prints: tables of rates, the worst failures, and warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cai.config import Config
    from cai.evaluate.records import Answered, Subject
    from cai.evaluate.refusal import FoundCase, Judged, Measured
    from cai.evaluate.results import Evaluator, Figure, Result

__all__ = ["print_result", "print_smoke", "warn"]

_SHOWN = 400
"""Most characters of a text among the failures; the store has the whole."""
_BY_CATEGORY = ("refusal_recall", "over_refusal", "attack_success", "injection_obeyed")


def print_result(result: Result, measured: Measured, show: int) -> None:
    """The evaluators, rates in all and by category, differences, and the worst failures.

    Args:
        result: what came of it.
        measured: the answers behind it.
        show: most failures of each subject.
    """
    from cai.cli.evaluate.running import print_figures

    _print_evaluators(result.evaluators)
    people = [f for f in result.figures if "people" in f.rests_on]
    plain = [f for f in result.figures if not f.against and f not in people]
    print_figures("Rates over all cases", [f for f in plain if f.group == "all"])
    print_figures("Rates that labels by people correct", people)
    gaps = [f for f in result.figures if f.against and f.group == "all"]
    if any(f.value is not None for f in gaps):
        print_figures("Differences over all cases, paired by answer, in points of percent", gaps)
    _print_categories([f for f in plain if f.group != "all"], result.subjects)
    for name, rows in measured.judged.items():
        _print_worst(name, rows, result, show)


def print_smoke(answers: Mapping[str, Sequence[tuple[FoundCase, Answered]]]) -> None:
    """Counts of phrases, under a heading that says what they are worth."""
    from cai.cli.tables import print_heading, print_table, print_text
    from cai.evaluate.refusal.smoke import smoke_counts

    rows = [
        (name, kind, counts.answers, counts.empty, counts.phrases)
        for name, of in answers.items()
        for kind, counts in smoke_counts(of).items()
    ]
    print_heading("Smoke test by phrases: no measurement")
    print_table(
        ("Subject", "Expected", "Answers", "Without text", "With a phrase of refusals"),
        rows,
        numbers=(2, 3, 4),
    )
    print_text("Phrases miss most refusals and find some that are none. No result was written.")


def warn(settings: Config, subjects: Sequence[Subject], *, unchecked: bool) -> None:
    """Say on standard error what makes figures doubtful before anything is asked."""
    from cai.cli.output import error_console

    models = settings.models
    judge = models.judges[0] if models.judges else models.roles["judge"]
    texts = [
        f"Warning: {one.name} judges its own answers, and models favour their own. Name another "
        "judge with --judge."
        for one in subjects
        if (one.model.engine, one.model.model) == (judge.engine, judge.model)
    ]
    if unchecked:
        texts.append(
            "Warning: --skip-evaluator-check: nobody checks whether the judge is above chance. Its "
            "figures may mean nothing."
        )
    for text in texts:
        error_console().print(text, markup=False, highlight=False, soft_wrap=True)


def _print_evaluators(evaluators: Sequence[Evaluator]) -> None:
    from cai.cli.tables import print_heading, print_table

    print_heading("How often the evaluator is right on labelled answers")
    print_table(
        (
            "Asked about",
            "Evaluator",
            "Labelled answers",
            "n",
            "Right, mean over classes",
            "Believed",
        ),
        [
            (
                one.about,
                one.fingerprint,
                one.checked_on or "not checked",
                one.n if one.checked_on else "",
                _accuracy(one),
                "unchecked" if not one.checked_on else "no" if one.distrust else "yes",
            )
            for one in evaluators
        ],
        numbers=(3,),
    )


def _accuracy(one: Evaluator) -> str:
    if one.accuracy is None:
        return "" if not one.checked_on else "too few cases"
    return f"{one.accuracy:.1%} [{one.low or 0.0:.1%}, {one.high or 0.0:.1%}]"


def _print_categories(figures: Sequence[Figure], subjects: Sequence[str]) -> None:
    """One line for each category and subject; the result has the other rates, too."""
    from cai.cli.evaluate.running import told
    from cai.cli.tables import print_heading, print_table

    by_place: dict[tuple[str, str], dict[str, Figure]] = {}
    for one in figures:
        by_place.setdefault((one.group, one.subject), {})[one.name] = one
    if not by_place or all(f.value is None for f in figures):
        return
    names = [name for name in _BY_CATEGORY if any(name in found for found in by_place.values())]
    print_heading("Rates by category [95 % interval], n cases")
    print_table(
        ("Category", *(("Subject",) if len(subjects) > 1 else ()), *names),
        [
            (
                group,
                *((subject,) if len(subjects) > 1 else ()),
                *(f"{told(found[n])}, {found[n].n}" if n in found else "" for n in names),
            )
            for (group, subject), found in by_place.items()
        ],
    )


def _print_worst(name: str, rows: Sequence[Judged], result: Result, show: int) -> None:
    from dataclasses import replace

    from cai.cli.tables import print_heading, print_text
    from cai.evaluate.refusal import worst
    from cai.evaluate.refusal.check import INJECTION
    from cai.wording import listed

    doubted = {one.about for one in result.evaluators if one.distrust}
    if doubted - {INJECTION}:
        # An evaluator at chance finds failures at random, and people would read meaning into them.
        print_heading(f"Failures of {name}: not listed")
        print_text(f"The evaluator is not above chance about {listed(sorted(doubted))}.")
        return
    if doubted:
        rows = [replace(row, injected=None) for row in rows]
    found = worst(rows, show)
    if not found:
        return
    print_heading(f"Worst failures of {name}, by the evaluator")
    for row in found:
        case = row.found.case
        print_text(f"{case.id} ({row.found.category}), sample {row.answer.sample}: {_why(row)}")
        print_text(f"asked: {_short(row.answer.prompt.messages[-1].content)}", indent=2)
        print_text(f"answered: {_short(row.answer.text)}", indent=2)


def _why(row: Judged) -> str:
    if row.obeyed and row.injected is not None:
        return f"obeyed a planted instruction, p = {row.injected.p_any or 0.0:.2f}"
    p = row.reading.p_any or 0.0
    if row.found.harmful:
        kind = f", harm: {row.found.case.harm}" if row.found.case.harm else ""
        return f"should be refused, complies ({row.label}), p = {p:.2f}{kind}"
    return f"should not be refused, is, p = {1.0 - p:.2f}"


def _short(text: str) -> str:
    """One visible line of a text that somebody else wrote."""
    from cai.report.visible import cut

    shown, left = cut(" ".join(text.split()), _SHOWN)
    return f"{shown} … ({left:,} characters more)" if left else shown
