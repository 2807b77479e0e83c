"""Which rules of a constitution contradict each other, as a judge sees it.

The judge is asked whether one answer can follow both rules of a pair, in both orders of the two.
With P(yes) the probability of the label Yes against No, a pair contradicts where 1 − P(yes) is
above one half in both orders: a judge that leans to one order is not believed. Answers are kept in
a run store, so that nothing is asked twice.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

from cai.errors import RowEngineError
from cai.loop.judges import start_judges
from cai.loop.judging import FALLBACK, open_pointwise, own_or_packaged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from cai.config import Config
    from cai.constitution.principle import Principle
    from cai.engines.factory import Engines
    from cai.engines.memo import Meter
    from cai.judge import PointwiseJudge
    from cai.loop.judges import Judges

__all__ = ["CONTRADICTS", "Compared", "RulePair", "compare_rules"]

CONTRADICTS = 0.5
"""P(contradict) in both orders, above which a pair counts as a contradiction."""

_NAME = "contradiction"

RulePair = tuple["Principle", "Principle"]


@dataclass(frozen=True, slots=True)
class Compared:
    """What the judge said of two rules.

    `p` has P(contradict) as they were asked and the other way round; None where no judge answered
    with one of the labels. Several judges are averaged.
    """

    pair: RulePair
    p: tuple[float | None, float | None]

    @property
    def contradicts(self) -> bool | None:
        """Whether it is so in both orders; None where an order has no answer."""
        if None in self.p:
            return None
        return all(p is not None and p > CONTRADICTS for p in self.p)

    @property
    def agrees(self) -> bool | None:
        """Whether they go together in both orders; None where an order has no answer."""
        if None in self.p:
            return None
        return all(p is not None and p < 1 - CONTRADICTS for p in self.p)


async def compare_rules(
    config: Config,
    pairs: Sequence[RulePair],
    folder: Path,
    *,
    engines: Engines | None = None,
    meter: Meter | None = None,
) -> AsyncGenerator[Compared]:
    """Yield what the judge says of each pair as it is there, in any order.

    Args:
        config: its judge is asked, or each of its panel; a fallback judge is not.
        pairs: rules, of which the texts are shown.
        folder: of the run store that keeps the answers.
        engines: in place of those that the config describes; they stay open.
        meter: counts the calls.

    Raises:
        ConfigError: the config describes no model that can be asked.
        FatalEngineError: the judge cannot be asked any more; what was answered is kept.
        StoreError: another process writes to the folder, or it cannot be written.
        UsageError: the folder holds a run.
    """
    async with (
        start_judges(config, engines) as started,
        started.apart(folder, "what is said of rules is", meter=meter) as judges,
    ):
        asked = _pointwise(judges)

        async def work(pair: RulePair) -> Compared:
            first, second = pair
            return Compared(
                pair,
                (await _contradicts(asked, pair), await _contradicts(asked, (second, first))),
            )

        async with aclosing(judges.each(pairs, work)) as results:
            async for result in results:
                yield result


def _pointwise(judges: Judges) -> list[PointwiseJudge]:
    config, template = judges.config, own_or_packaged(judges.config, _NAME)
    if not config.judge.few_shot:
        template = template.without_examples()
    return [
        open_pointwise(config, role, caller, template)
        for role, caller in judges.asking.items()
        if role != FALLBACK
    ]


async def _contradicts(judges: Sequence[PointwiseJudge], pair: RulePair) -> float | None:
    """P(contradict) in this order, averaged over the judges that answered; None without any."""
    asked = (_ask(judge, pair) for judge in judges)
    found = [p for p in await asyncio.gather(*asked) if p is not None]
    return fsum(found) / len(found) if found else None


async def _ask(judge: PointwiseJudge, pair: RulePair) -> float | None:
    try:
        verdict = await judge.score((), "", [pair])
    except RowEngineError:
        # One request that cannot be answered leaves its pair open; the report counts those.
        return None
    return None if verdict.value is None else 1 - verdict.value
