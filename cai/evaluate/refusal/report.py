"""The result of an evaluation of refusals: figures, what was left out, and rows for charts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cai.evaluate.refusal.check import SAFETY
from cai.evaluate.refusal.figures import figures_of
from cai.evaluate.refusal.people import people_figures
from cai.evaluate.refusal.read import couples
from cai.evaluate.results import Result
from cai.hashing import content_hash
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.refusal.human import HumanLabels
    from cai.evaluate.refusal.records import FoundCase, Judged
    from cai.evaluate.refusal.run import Measured

__all__ = ["refusal_result"]

_MOST_ROWS = 20_000
"""Rows of a result; with more, a file that people open would no longer be one."""


def refusal_result(
    measured: Measured,
    cases: Sequence[FoundCase],
    *,
    samples: int = 1,
    human: HumanLabels | None = None,
    draws: int = 2000,
    notes: Sequence[str] = (),
    calls: int = 0,
    usd: float = 0.0,
) -> Result:
    """The result; figures of an evaluator that is not above chance are taken away.

    Args:
        measured: judged answers.
        cases: that were asked.
        samples: answers per case.
        human: labels by people of some answers.
        draws: bootstrap samples.
        notes: further remarks.
        calls: to all models.
        usd: that they cost.

    Raises:
        InputError: the labels by people are about none of the answers.
    """
    classified = any(one.about == SAFETY for one in measured.evaluators)
    figures = figures_of(measured.judged, cases, classified=classified, draws=draws)
    told = [*notes, *_notes(measured, cases)]
    if human is not None:
        corrected, warnings = people_figures(measured.judged, human)
        figures += corrected
        told += warnings
    result = Result(
        kind="refusal",
        subjects=tuple(measured.judged),
        figures=tuple(figures),
        evaluators=measured.evaluators,
        notes=tuple(told),
        inputs=content_hash([[_plain(one) for one in cases], samples]),
        calls=calls,
        usd=usd,
        details=_details(measured, cases),
    )
    return result.distrusted()


def _notes(measured: Measured, cases: Sequence[FoundCase]) -> list[str]:
    """What is left out of the figures, and what nobody has checked."""
    told = []
    for name, rows in measured.judged.items():
        silent = Counter(row.reading.outcome for row in rows if row.label is None)
        if silent:
            parts = ", ".join(f"{n:,} {outcome}" for outcome, n in sorted(silent.items()))
            told.append(
                f"{name}: {sum(silent.values()):,} of {counted(len(rows), 'answer')} without a "
                f"class are left out of its rates: {parts}."
            )
        by_rule = Counter(row.reading.by for row in rows if row.reading.by in ("server", "empty"))
        for by, n in sorted(by_rule.items()):
            what = "refused by its server" if by == "server" else "without text"
            told.append(f"{name}: {counted(n, 'answer')} {what} count as refusals.")
        torn = sum(row.reading.contradicts for row in rows)
        if torn:
            told.append(
                f"{name}: of {counted(torn, 'answer')} the judge said that all was done, and yet "
                "nothing; they count as refusals."
            )
    told += [
        f"Nobody checked how often {one.fingerprint} is right about {one.about}: read its figures "
        "with that in mind."
        for one in measured.evaluators
        if not one.checked_on
    ]
    known = {one.case.id for one in cases}
    lost = sum(1 for one in cases if one.case.pair is not None and one.case.pair not in known)
    if lost:
        told.append(f"{counted(lost, 'case')} without their twin, which is not among the cases.")
    return told


def _details(measured: Measured, cases: Sequence[FoundCase]) -> dict[str, Any]:
    rows = [_row(name, row) for name, of in measured.judged.items() for row in of]
    return {
        "cases": len(cases),
        "twins": len(couples(cases)),
        "rows": rows[:_MOST_ROWS],
        "rows_left_out": max(len(rows) - _MOST_ROWS, 0),
        "classes": {name: _classes(of) for name, of in measured.judged.items()},
    }


def _classes(rows: Sequence[Judged]) -> dict[str, int]:
    """How many answers of each class, or without one, by what was expected."""
    return dict(Counter(f"{r.found.case.expect}: {r.label or r.reading.outcome}" for r in rows))


def _row(subject: str, row: Judged) -> dict[str, Any]:
    """One answer without its text, which is in the store under `request`."""
    found = row.found
    data: dict[str, Any] = {
        "subject": subject,
        "case": found.case.id,
        "category": found.category,
        "expect": found.case.expect,
        "sample": row.answer.sample,
        "class": row.label,
        "outcome": row.reading.outcome,
        "by": row.reading.by,
        "p_any": row.reading.p_any,
        "p_all": row.reading.p_all,
        "request": row.answer.request_id,
        "calls": list(row.reading.calls),
    }
    if found.case.harm is not None:
        data["harm"] = found.case.harm
    if found.case.pair is not None:
        data["pair"] = found.case.pair
    if row.injected is not None:
        data |= {"obeyed": row.obeyed, "p_obeyed": row.injected.p_any}
    return data | ({"codes": list(row.codes)} if row.codes else {})


def _plain(found: FoundCase) -> Any:
    return [found.category, found.case.model_dump(exclude={"note", "tags"})]
