"""From what the judge said to the result file."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cai.evaluate.results import Result
from cai.evaluate.winrate.axes import axes_chart_data
from cai.evaluate.winrate.figures import (
    by_pair,
    difference_figures,
    outcome_counts,
    overall_figures,
    pair_figures,
)
from cai.evaluate.winrate.length import with_difficulty
from cai.evaluate.winrate.strength import PRIOR, strength_figures
from cai.hashing import content_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cai.evaluate.results import Evaluator, Figure
    from cai.evaluate.winrate.records import Axis, Contest, Duel

__all__ = ["Judgement", "winrate_result"]

_MANY_UNUSABLE = 0.05
"""Share of answers without a text from which a note says so."""


@dataclass(frozen=True)
class Judgement:
    """All that the judge said of a contest.

    Args:
        duels: under the constitution.
        axes: the duels of each axis, under its principles alone.
        evaluator: who judged, and whether that was checked.
        scope: of the judge.
        asked: what determines the verdicts, for the hash of the result.
    """

    duels: tuple[Duel, ...]
    evaluator: Evaluator
    scope: str
    axes: Mapping[Axis, tuple[Duel, ...]] = field(default_factory=dict)
    asked: tuple[object, ...] = ()


def winrate_result(
    contest: Contest,
    judged: Judgement,
    *,
    half_width: float = 0.05,
    draws: int = 2000,
    notes: Sequence[str] = (),
) -> Result:
    """All figures; those of a judge that is not above chance are taken away.

    Args:
        contest: who answered what.
        judged: what the judge said.
        half_width: of the interval for which to say how many comparisons are needed.
        draws: of every bootstrap.
        notes: that come first.
    """
    figures = tuple(_figures(contest, judged, half_width, draws))
    chart = axes_chart_data(tuple(judged.axes), contest.subjects, figures)
    told = Result(
        "winrate",
        contest.subjects,
        figures,
        (judged.evaluator,),
        (*notes, *_notes(contest, judged)),
        content_hash([[p.id for p in contest.prompts], contest.asked, judged.asked]),
    ).distrusted()
    if judged.evaluator.distrust:
        chart = {}
    return replace(told, details=_details(contest, judged, chart))


def _figures(
    contest: Contest, judged: Judgement, half_width: float, draws: int
) -> Iterator[Figure]:
    pairs = by_pair(judged.duels)
    for own in pairs.values():
        yield from pair_figures(
            own, by_principle=judged.scope == "each", half_width=half_width, draws=draws
        )
    if contest.base:
        yield from difference_figures(pairs, contest.base, draws=draws)
        yield from with_difficulty(pairs, contest.base, draws=draws)
    elif len(contest.subjects) > 2:
        yield from overall_figures(contest.subjects, judged.duels, draws=draws)
    scales: dict[str, tuple[Duel, ...]] = {}
    if len(contest.subjects) > 2:
        scales["all"] = judged.duels
    scales |= {f"axis {axis.name}": duels for axis, duels in judged.axes.items()}
    for group, duels in scales.items():
        yield from strength_figures(contest.subjects, duels, contest.base, group=group, draws=draws)


def _notes(contest: Contest, judged: Judgement) -> Iterator[str]:
    evaluator = judged.evaluator
    if not evaluator.checked_on:
        yield (
            "Evaluator not checked: nothing tells whether this judge is right. Give it labelled "
            "pairs (check: FILE, or --check FILE) before believing its win rates."
        )
    elif not evaluator.distrust and evaluator.unjudged:
        yield (
            f"Of the labelled pairs, {evaluator.unjudged:,} have no verdict and "
            f"{evaluator.n:,} have one."
        )
    for name, answers in contest.answers.items():
        missing = sum(not answer.usable for answer in answers)
        if missing > _MANY_UNUSABLE * len(answers):
            yield (
                f"{name} gave no text in {missing:,} of {len(answers):,} answers. These prompts "
                "are left out, which may favour it."
            )
        cut = sum(answer.outcome == "truncated" for answer in answers)
        if cut:
            yield f"{cut:,} of {len(answers):,} answers of {name} were cut off at the token limit."


def _details(contest: Contest, judged: Judgement, chart: dict[str, Any]) -> dict[str, Any]:
    pairs = by_pair(judged.duels)
    return {
        "base": contest.base,
        "scope": judged.scope,
        "prompts": len(contest.prompts),
        "prompt_groups": len(set(contest.groups.values())),
        "comparisons": [
            {"first": first, "second": second, "outcomes": outcome_counts(duels)}
            for (first, second), duels in pairs.items()
        ],
        "answers": {
            name: dict(Counter(one.outcome if one.usable else "no text" for one in answers))
            for name, answers in contest.answers.items()
        },
        "prior_ties": PRIOR,
        "axes": {axis.name: list(axis.principles) for axis in judged.axes},
        "chart": chart,
        "duels": [_row(duel, "all") for duel in judged.duels]
        + [_row(duel, axis.name) for axis, duels in judged.axes.items() for duel in duels],
    }


def _row(duel: Duel, axis: str) -> dict[str, Any]:
    """A duel as plain data; no texts."""
    row = asdict(duel)
    row["under"] = [one._asdict() for one in duel.under]
    return {"axis": axis, **row}
