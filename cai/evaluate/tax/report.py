"""From scored items to figures: accuracy by area, and its change against another model."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cai.evaluate.results import Figure, Result, figure
from cai.evaluate.tax.ask import ANSWER_TOKENS
from cai.evaluate.tax.content import AREAS, CHANCE
from cai.evaluate.tax.paired import Paired, paired
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cai.evaluate.tax.ask import Scored

__all__ = ["ALL", "Change", "tax_changes", "tax_result"]

ALL = "all"
_LEAST_READ = 0.9
"""Share of the questions that must have a reading: of all, by both, and of those that `before` has
one for, by the subject. A model that falls silent on what it gets wrong would else show no loss."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one area between two models.

    `unmeasured` is not empty where the change says nothing; `silent` where that is because the
    subject gives no reading for what the other answers.
    """

    subject: str
    against: str
    area: str
    paired: Paired
    unmeasured: str = ""
    silent: bool = False


def tax_result(
    found: Mapping[str, Sequence[Scored]],
    before: str | None,
    *,
    further: Sequence[Figure] = (),
    inputs: str = "",
    calls: int = 0,
    usd: float = 0.0,
    verdicts: Sequence[Any] = (),
) -> Result:
    """All figures of a tax.

    Args:
        found: of `ask_tax`.
        before: the model that the others are compared with; None compares nothing.
        further: figures of other benchmarks.
        inputs: hash of what was asked.
        calls: to all models.
        usd: what they cost.
        verdicts: of `judged_changes`, kept in the details.
    """
    changes = tax_changes(found, before)
    figures = [*_accuracies(found), *map(_change_figure, changes), *_silent(found), *further]
    return Result(
        kind="tax",
        subjects=tuple(found),
        figures=tuple(figures),
        notes=tuple(_notes(found)),
        inputs=inputs,
        calls=calls,
        usd=usd,
        details={
            "changes": [asdict(one) for one in changes],
            "verdicts": [asdict(one) for one in verdicts],
            "items": {subject: [asdict(one) for one in own] for subject, own in found.items()},
        },
    )


def tax_changes(found: Mapping[str, Sequence[Scored]], before: str | None) -> list[Change]:
    """Each other subject against `before`, in all and by area."""
    if before is None:
        return []
    return [
        _change(subject, before, area, _of(own, area), _of(found[before], area))
        for subject, own in found.items()
        if subject != before
        for area in _areas(own)
    ]


def _change(
    subject: str, before: str, area: str, after: Sequence[Scored], first: Sequence[Scored]
) -> Change:
    made = paired([one.right for one in after], [one.right for one in first])
    known = sum(one.right is not None for one in first)
    reason = ""
    silent = made.n < _LEAST_READ * known
    if silent:
        reason = (
            f"not measurable: {subject} has no reading for {known - made.n} of the {known} "
            f"questions of '{area}' that {before} has one for"
        )
    elif made.n < _LEAST_READ * len(first):
        reason = (
            f"not measurable: {made.n} of the {len(first)} questions of '{area}' have a reading by "
            f"both, {known} by {before}"
        )
    elif not (_above_chance(after) or _above_chance(first)):
        reason = (
            f"not measurable with these questions: neither {before} nor {subject} is above chance "
            f"in '{area}'"
        )
    return Change(subject, before, area, made, reason, silent)


def _above_chance(rows: Sequence[Scored]) -> bool:
    """Whether the lower end of the accuracy's interval is above what guessing reaches."""
    read = [one for one in rows if one.right is not None]
    if not read:
        return False
    guessing = math.fsum(CHANCE[one.area] for one in read) / len(read)
    return wilson(sum(bool(one.right) for one in read), len(read)).low > guessing


def _change_figure(one: Change) -> Figure:
    more: dict[str, Any] = {
        "against": one.against, "group": one.area, "unit": "points", "better": "higher"
    }  # fmt: skip
    name = "accuracy, difference"
    if one.unmeasured:
        return Figure(name, one.subject, None, n=one.paired.n, unmeasured=one.unmeasured, **more)
    return figure(name, one.subject, one.paired.interval, **more)


def _accuracies(found: Mapping[str, Sequence[Scored]]) -> Iterator[Figure]:
    for subject, own in found.items():
        for area in _areas(own):
            read = [one.right for one in _of(own, area) if one.right is not None]
            interval = wilson(sum(read), len(read)) if read else None
            more: dict[str, Any] = {} if read else {"unmeasured": "no question has a reading"}
            yield figure("accuracy", subject, interval, group=area, better="higher", **more)


def _silent(found: Mapping[str, Sequence[Scored]]) -> Iterator[Figure]:
    for subject, own in found.items():
        count = sum(one.right is None for one in own)
        yield Figure("without a reading", subject, count, n=len(own), unit="count", better="lower")


def _areas(rows: Sequence[Scored]) -> list[str]:
    return [ALL, *(area for area in AREAS if any(one.area == area for one in rows))]


def _of(rows: Sequence[Scored], area: str) -> list[Scored]:
    return [one for one in rows if area in (ALL, one.area)]


def _notes(found: Mapping[str, Sequence[Scored]]) -> Iterator[str]:
    yield (
        "Options are read from the probabilities of letters over all rotations; guessing reaches "
        "25%. Accuracies have Wilson's interval, changes Tango's for the same questions. No judge "
        "takes part. The set finds large losses; for small ones take benchmarks (--lm-eval)."
    )
    if any(one.area == "instructions" for own in found.values() for one in own):
        yield (
            f"Instructions are answered in up to {ANSWER_TOKENS} tokens at temperature 0; a longer "
            "answer is cut, and checked as it stands."
        )
