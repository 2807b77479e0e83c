"""From readings to figures: means, paired differences, the weakest principles, worst examples."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from cai.evaluate.adherence.records import points
from cai.evaluate.means import Means, prompt_groups
from cai.evaluate.results import Evaluator, Figure, Result, figure
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cai.evaluate.adherence.records import Checked, Reading

__all__ = ["CHECK", "adherence_result"]

CHECK = "judge right"
"""The figure about the judge itself."""
_ABOUT = "adherence"
_COUNTED = ("counts",)
"""What counts and figures about the judge itself rest on: no judge."""
_LEAST = 10
"""Cases of a principle from which they decide about that principle alone."""
_WORST = 5
"""Worst examples that are kept of each subject."""

_SCORE: dict[str, Any] = {"unit": "score", "better": "higher", "rests_on": (_ABOUT,)}

_Key = tuple[str, int, str]
"""Prompt id, number of the sample, principle."""


def adherence_result(
    readings: Sequence[Reading],
    checks: Sequence[Checked],
    *,
    judge: str,
    checked_on: str = "",
    similarity: float = 0.7,
    draws: int = 2000,
    seed: int = 0,
    **more: Any,
) -> Result:
    """All figures. Scores are points from 1 to 10; intervals are clustered by prompt group.

    `all` is the mean over answers of their means over principles. Where the judge is not above
    chance on the cases, no figure but those about the judge has a number; where it is not on at
    least ten cases of a principle, those of that principle have none.

    Args:
        readings: of all subjects, which were asked the same.
        checks: of cases with a known outcome.
        judge: its fingerprint.
        checked_on: name of the cases.
        similarity: of prompts that are one group, as `split.similarity`.
        draws: of the bootstrap.
        seed: of the draws.
        more: further fields of the result, such as `inputs` and `notes`.
    """
    table = _Table(readings, similarity, draws, seed)
    own, per_principle = _evaluators(checks, judge, checked_on)
    figures = [*table.means(), *table.differences(), *table.silent()]
    figures = [_trusted(one, per_principle) for one in figures]
    figures += [_check_figure(name, one) for name, one in per_principle.items()]
    if own.checked_on:
        figures.insert(0, _check_figure("all", own))
    result = Result(
        "adherence",
        table.subjects,
        tuple(figures),
        (own,),
        details={"readings": [_row(one) for one in readings]},
        **more,
    ).distrusted()
    gone = {f.group for f in result.figures if f.name == "adherence" and f.unmeasured}
    kept = [one for one in readings if one.principle not in gone and not own.distrust]
    weakest = _weakest(result.figures)
    return replace(result, details={**result.details, "weakest": weakest, "worst": _worst(kept)})


class _Table:
    """Readings by subject, and by what is the same for all subjects."""

    def __init__(
        self, readings: Sequence[Reading], similarity: float, draws: int, seed: int
    ) -> None:
        self.subjects = tuple(dict.fromkeys(one.answer.subject for one in readings))
        self._readings = readings
        keys = dict.fromkeys(map(_key, readings))
        groups = prompt_groups((one.answer.prompt for one in readings), similarity)
        self._principles = sorted({key[2] for key in keys})
        self._rows = {
            principle: [key for key in keys if key[2] == principle]
            for principle in self._principles
        }
        whole = list(dict.fromkeys((prompt, sample, "") for prompt, sample, _ in keys))
        self._rows["all"] = whole
        self._means = {
            group: Means([groups[key[0]] for key in rows], draws=draws, seed=seed)
            for group, rows in self._rows.items()
        }
        self._values = {subject: self._of(subject) for subject in self.subjects}

    def _of(self, subject: str) -> dict[_Key, float]:
        """Points by key; under no principle's name, the mean of an answer over all."""
        own = [one for one in self._readings if one.answer.subject == subject]
        found = {
            _key(one): points(one.finding.value) for one in own if one.finding.value is not None
        }
        by_answer: dict[_Key, list[float]] = {}
        for (prompt, sample, _), value in found.items():
            by_answer.setdefault((prompt, sample, ""), []).append(value)
        return found | {key: math.fsum(some) / len(some) for key, some in by_answer.items()}

    def _column(self, subject: str, group: str) -> list[float | None]:
        return [self._values[subject].get(key) for key in self._rows[group]]

    def means(self) -> Iterable[Figure]:
        for subject in self.subjects:
            for group, means in self._groups():
                found = means.mean(self._column(subject, group))
                yield figure("adherence", subject, found, group=group, **_SCORE)

    def differences(self) -> Iterable[Figure]:
        for before, after in combinations(self.subjects, 2):
            for group, means in self._groups():
                found = means.difference(self._column(after, group), self._column(before, group))
                name = "adherence difference"
                yield figure(name, after, found, group=group, against=before, **_SCORE)

    def silent(self) -> Iterable[Figure]:
        for subject in self.subjects:
            own = [one.finding for one in self._readings if one.answer.subject == subject]
            silent = sum(one.value is None for one in own)
            yield Figure(
                "without a reading", subject, silent, n=len(own), unit="count", rests_on=_COUNTED
            )

    def _groups(self) -> Iterable[tuple[str, Means]]:
        return ((group, self._means[group]) for group in ("all", *self._principles))


def _evaluators(
    checks: Sequence[Checked], judge: str, checked_on: str
) -> tuple[Evaluator, dict[str, Evaluator]]:
    """Of all cases, and of each principle that has any."""
    by: dict[str, list[float]] = {one.principle: [] for one in checks}
    for one in checks:
        if one.right is not None:
            by[one.principle].append(one.right)

    def evaluator(right: list[float]) -> Evaluator:
        if not right:
            # A judge that finds nothing in any case was checked, and is not right in any.
            return Evaluator(judge, checked_on if checks else "", about=_ABOUT)
        share = wilson(math.fsum(right), len(right))
        found = (share.estimate, share.low, share.high, share.n)
        return Evaluator(judge, checked_on, *found, about=_ABOUT)

    everything = [right for own in by.values() for right in own]
    return evaluator(everything), {name: evaluator(own) for name, own in sorted(by.items())}


def _trusted(one: Figure, per_principle: dict[str, Evaluator]) -> Figure:
    """The figure, or why it has no number, where the cases of its principle say so."""
    if _ABOUT not in one.rests_on:
        return one
    own = per_principle.get(one.group)
    if own is None or own.n < _LEAST or not own.distrust:
        return one
    return replace(one, value=None, low=None, high=None, unmeasured=own.distrust)


def _check_figure(group: str, one: Evaluator) -> Figure:
    found = (one.accuracy, one.low, one.high, one.n)
    reason = "" if one.n else "the judge said nothing of any case"
    more: dict[str, Any] = {"better": "higher", "unmeasured": reason, "rests_on": _COUNTED}
    return Figure(CHECK, "", *found, group=group, **more)


def _weakest(figures: Sequence[Figure]) -> dict[str, list[str]]:
    """The measured principles of each subject, the least followed first."""
    own: dict[str, list[tuple[float, str]]] = {}
    for one in figures:
        if one.name == "adherence" and one.group != "all" and one.value is not None:
            own.setdefault(one.subject, []).append((one.value, one.group))
    return {subject: [group for _, group in sorted(found)] for subject, found in own.items()}


def _worst(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Readings with the least points, a few of each subject; of an answer the worst one alone."""
    found: list[dict[str, Any]] = []
    for subject in dict.fromkeys(one.answer.subject for one in readings):
        own = [(one.finding.value, one) for one in readings if one.answer.subject == subject]
        ranked = sorted(
            ((value, one) for value, one in own if value is not None),
            key=lambda entry: (entry[0], _key(entry[1])),
        )
        first: dict[tuple[str, int], Reading] = {}
        for _, one in ranked:
            first.setdefault((one.answer.prompt.id, one.answer.sample), one)
        found += [
            {
                **_row(one),
                "asked": one.answer.prompt.messages[-1].content,
                "answer": one.answer.text,
            }
            for one in list(first.values())[:_WORST]
        ]
    return found


def _row(one: Reading) -> dict[str, Any]:
    value = one.finding.value
    return {
        "subject": one.answer.subject,
        "prompt": one.answer.prompt.id,
        "sample": one.answer.sample,
        "principle": one.principle,
        "how": one.finding.how,
        "outcome": one.finding.outcome,
        "points": None if value is None else points(value),
        "request": one.answer.request_id,
        **({"error": one.finding.error} if one.finding.error else {}),
    }


def _key(one: Reading) -> _Key:
    return one.answer.prompt.id, one.answer.sample, one.principle
