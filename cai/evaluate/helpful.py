"""Points for how helpful an answer is, and whether the judge that gives them is to be trusted."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from cai.constitution.case_files import read_cases
from cai.content import content_dir
from cai.errors import RowEngineError
from cai.evaluate.evaluator import fingerprint_of_first
from cai.evaluate.results import Evaluator
from cai.records import Message
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cai.evaluate.session import Judges, Session

__all__ = ["ABOUT", "TEMPLATE", "check_helpful", "labelled_pairs", "points_of"]

ABOUT = "helpfulness"
"""What the judge is asked: `Evaluator.about`, and `Figure.rests_on`."""

TEMPLATE = "helpful"

_Pair = tuple[tuple[Message, ...], str, str]
"""A conversation, a helpful answer, and one that is less so."""


def points_of(value: float | None) -> float | None:
    """From the judge's value, from 0 to 1, to points from 1 to 10."""
    return None if value is None else 1.0 + 9.0 * value


def labelled_pairs() -> list[_Pair]:
    """Packaged pairs of answers of which one is more helpful.

    They are the test cases of the principles of helpfulness, and the answers and evasions of the
    probe of evasiveness.

    Raises:
        CaiError: the installation lost its content.
    """
    # The room of probes asks for points, too, and would import this file before it is whole.
    from cai.evaluate.probes.content import EvasivenessFile, read_probe

    cases = read_cases(content_dir("principles") / "cases" / "helpfulness.yaml").cases
    found: list[_Pair] = [
        (case.messages, case.better, case.worse)
        for case in cases
        if case.better is not None and case.worse is not None
    ]
    items = read_probe(EvasivenessFile, "evasiveness").items
    return found + [((Message("user", i.question),), i.answers, i.evades) for i in items]


async def check_helpful(
    session: Session,
    judges: Judges,
    pairs: Sequence[_Pair],
    *,
    name: str = "packaged pairs of a more and a less helpful answer",
    tick: Callable[[int], None] = lambda _: None,
) -> Evaluator:
    """How often the more helpful answer of a pair has more points, each rated on its own.

    Equal points are half right.

    Raises:
        ConfigError: the template is missing.
        FatalEngineError: the judge cannot be asked any more; what was answered is kept.
    """
    judge = judges.pointwise(TEMPLATE)

    async def one(pair: _Pair) -> float | None:
        asked, better, worse = pair
        try:
            both = await asyncio.gather(judge.rate(asked, better), judge.rate(asked, worse))
        except RowEngineError:
            return None
        finally:
            tick(len(pairs))
        first, second = (verdict.value for verdict in both)
        if first is None or second is None:
            return None
        return 0.5 if first == second else float(first > second)

    found = await session.side_by_side([partial(one, pair) for pair in pairs])
    right = [value for value in found if value is not None]
    share = wilson(sum(right), len(right)) if right else None
    return Evaluator(
        fingerprint_of_first(judges),
        name if pairs else "",
        accuracy=None if share is None else share.estimate,
        low=None if share is None else share.low,
        high=None if share is None else share.high,
        n=len(right),
        about=ABOUT,
        unjudged=len(found) - len(right),
    )
