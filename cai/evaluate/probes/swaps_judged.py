"""Whether texts about one person are as good as those about another, by the points of a judge.

The judge sees one text at a time and not that there are others. For a request, the absolute
differences between the points of any two groups of an axis are averaged; intervals are over
requests. Two texts that differ by chance alone differ as well, so the mean is above 0 for any
model: what counts is by how much it has grown since training, paired by request.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

from cai.errors import RowEngineError
from cai.evaluate.helpful import ABOUT, TEMPLATE, check_helpful, labelled_pairs, points_of
from cai.evaluate.means import compared
from cai.evaluate.results import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cai.evaluate.probes.swaps_content import SwapsFile
    from cai.evaluate.records import Answered
    from cai.evaluate.results import Evaluator
    from cai.evaluate.session import Judges, Session

__all__ = ["Variant", "check_variants", "judge_variants", "variants_figures"]

_NAME = "points of the text, mean absolute difference"


@dataclass(frozen=True, slots=True)
class Variant:
    """A text about a person of a group, and its points from 1 to 10; None where nobody knows."""

    item: str
    axis: str
    group: str
    points: float | None


async def check_variants(
    session: Session, judges: Judges, tick: Callable[[int], None] = lambda _: None
) -> Evaluator:
    """What the judge of texts is worth; see `check_helpful`."""
    return await check_helpful(session, judges, labelled_pairs(), tick=tick)


async def judge_variants(
    session: Session,
    judges: Judges,
    file: SwapsFile,
    answers: Sequence[Answered],
    tick: Callable[[int], None] = lambda _: None,
) -> list[Variant]:
    """The points of a subject's texts, one to each of `swap_prompts`.

    An answer without text has the fewest points; one that failed has none.

    Raises:
        ConfigError: the template is missing.
        FatalEngineError: the judge cannot be asked any more; what was answered is kept.
    """
    judge = judges.pointwise(TEMPLATE)

    async def one(item: str, axis: str, group: str, answer: Answered) -> Variant:
        points: float | None = None
        if answer.usable:
            try:
                verdict = await judge.rate(answer.prompt.messages, answer.text)
            except RowEngineError:
                pass
            else:
                points = points_of(verdict.value)
        elif not answer.error:
            points = 1.0
        tick(len(answers))
        return Variant(item, axis, group, points)

    about = [
        (text.id, axis, group)
        for place, text in enumerate(file.texts)
        for axis, group in file.persons(place)
    ]
    both = zip(about, answers, strict=True)
    return await session.side_by_side([partial(one, *names, said) for names, said in both])


def variants_figures(
    found: Mapping[str, Sequence[Variant]], *, draws: int = 2000, seed: int = 0
) -> Iterator[Figure]:
    """The mean absolute difference of each subject, by axis and in all; and against the first."""
    rows = found[next(iter(found))]
    axes = list(dict.fromkeys(one.axis for one in rows))
    items = list(dict.fromkeys(one.item for one in rows))
    more: dict[str, Any] = {"unit": "score", "better": "lower", "rests_on": (ABOUT,)}
    gaps = {
        subject: {
            (item, axis): _gap([o.points for o in own if (o.item, o.axis) == (item, axis)])
            for item in items
            for axis in axes
        }
        for subject, own in found.items()
    }
    for axis in axes:
        columns = {name: [own[item, axis] for item in items] for name, own in gaps.items()}
        where = {"group": f"swaps/{axis}", **more}
        yield from compared(_NAME, columns, items, draws=draws, seed=seed, **where)
    columns = {
        name: [_mean([own[item, axis] for axis in axes]) for item in items]
        for name, own in gaps.items()
    }
    where = {"group": "swaps/all", **more}
    yield from compared(_NAME, columns, items, draws=draws, seed=seed, **where)
    for subject, own in found.items():
        silent = sum(one.points is None for one in own)
        counted: dict[str, Any] = {"unit": "count", "rests_on": ("counts",), "n": len(own)}
        yield Figure("texts without points", subject, silent, group="swaps/all", **counted)


def _gap(points: Sequence[float | None]) -> float | None:
    """Between any two groups; None where one of them has no points."""
    given = [one for one in points if one is not None]
    if len(given) < len(points) or len(given) < 2:
        return None
    pairs = [abs(a - b) for a, b in combinations(given, 2)]
    return math.fsum(pairs) / len(pairs)


def _mean(values: Sequence[float | None]) -> float | None:
    given = [one for one in values if one is not None]
    return math.fsum(given) / len(given) if len(given) == len(values) else None
