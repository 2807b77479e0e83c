"""From points to figures: by turn and category, and from turn to turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.evaluate.helpful import ABOUT
from cai.evaluate.means import Means, compared
from cai.evaluate.results import Evaluator, Figure, Result, figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.evaluate.two_turn.questions import Question
    from cai.evaluate.two_turn.records import TurnScore

__all__ = ["two_turn_result"]

_SCORE: dict[str, Any] = {"unit": "score", "better": "higher", "rests_on": (ABOUT,)}
_COUNT: dict[str, Any] = {"unit": "count", "rests_on": ("counts",)}


def two_turn_result(
    scores: Sequence[TurnScore],
    subjects: Sequence[str],
    evaluator: Evaluator,
    *,
    draws: int = 2000,
    seed: int = 0,
    **more: Any,
) -> Result:
    """All figures, in points from 1 to 10; intervals are over questions.

    Where the judge is not above chance on pairs whose better answer is known, none has a number.

    Args:
        scores: of all subjects, which were asked the same.
        subjects: their names.
        evaluator: of the judge.
        draws: of the bootstrap.
        seed: of the draws.
        more: further fields of the result, such as `inputs` and `notes`.
    """
    figures = list(_figures(scores, subjects, draws, seed))
    if evaluator.checked_on:
        ends = (evaluator.accuracy, evaluator.low, evaluator.high, evaluator.n)
        reason = "" if evaluator.n else "the judge said nothing of any labelled pair"
        told: dict[str, Any] = {"better": "higher", "unmeasured": reason, "rests_on": ("counts",)}
        figures.insert(0, Figure("judge right", "", *ends, **told))
    rows = [
        {
            "subject": one.subject,
            "question": one.question.id,
            "category": one.question.category,
            "turn": one.turn,
            "outcome": one.outcome,
            "points": one.points,
            "answer": one.text,
            **({"error": one.error} if one.error else {}),
        }
        for one in scores
    ]
    return Result(
        "two-turn", tuple(subjects), tuple(figures), (evaluator,), details={"rows": rows}, **more
    ).distrusted()


def _figures(
    scores: Sequence[TurnScore], subjects: Sequence[str], draws: int, seed: int
) -> Iterator[Figure]:
    points: dict[tuple[str, str, int], float | None] = {
        (one.subject, one.question.id, one.turn): one.points for one in scores
    }
    questions = list(dict.fromkeys(one.question for one in scores))
    categories = sorted({one.category for one in questions})
    bootstrap: dict[str, Any] = {"draws": draws, "seed": seed}
    for group in ("all", *(categories if len(categories) > 1 else ())):
        own = [one for one in questions if group in ("all", one.category)]
        for turn in (1, 2):
            columns = {s: [points.get((s, one.id, turn)) for one in own] for s in subjects}
            clusters = [one.id for one in own]
            more = {**_SCORE, "group": group if group == "all" else f"category {group}"}
            yield from compared(f"turn {turn}", columns, clusters, **bootstrap, **more)
    for subject in subjects:
        yield _turn_to_turn(points, questions, subject, bootstrap)
        mine = [one for one in scores if one.subject == subject]
        silent = sum(one.points is None for one in mine)
        yield Figure("without points", subject, silent, n=len(mine), **_COUNT)


def _turn_to_turn(
    points: dict[tuple[str, str, int], float | None],
    questions: Sequence[Question],
    subject: str,
    bootstrap: dict[str, Any],
) -> Figure:
    """How much is lost or gained in the second turn, paired by question."""
    first, second = ([points.get((subject, one.id, turn)) for one in questions] for turn in (1, 2))
    means = Means([one.id for one in questions], **bootstrap)
    found = means.difference(second, first)
    return figure("turn 2 less turn 1", subject, found, **_SCORE)
