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
from pathlib import Path
from typing import TYPE_CHECKING

from cai.engines.factory import open_engines
from cai.engines.memo import Meter
from cai.errors import RowEngineError
from cai.judge import PointwiseJudge
from cai.loop.apart import require_no_run
from cai.loop.callers import open_callers, prompts_in_work
from cai.loop.cased import judging_only
from cai.loop.judging import logprobs_of
from cai.loop.schedule import in_work
from cai.store import RunStore
from cai.templates import load_template

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

    from cai.config import Config
    from cai.constitution.principle import Principle
    from cai.engines.factory import Engines
    from cai.judge.pairwise import Asking
    from cai.templates import Template

__all__ = ["CONTRADICTS", "Compared", "RulePair", "compare_rules"]

CONTRADICTS = 0.5
"""P(contradict) in both orders, above which a pair counts as a contradiction."""

_NAME = "contradiction"
_FALLBACK = "fallback_judge"

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
    config = judging_only(config)
    ours = engines or open_engines(config.models)
    await ours.start()
    try:
        with RunStore.open(folder, durable=config.runtime.durable) as store:
            require_no_run(store, "what is said of rules is")
            callers = open_callers(ours, config, store, meter or Meter())
            asking = {role: callers[id(one)] for role, one in ours.judging.items()}
            judges = _judges(config, asking)

            async def work(pair: RulePair) -> Compared:
                first, second = pair
                return Compared(
                    pair,
                    (await _contradicts(judges, pair), await _contradicts(judges, (second, first))),
                )

            try:
                at_once = prompts_in_work(config)
                async with aclosing(in_work(_each(pairs), work, at_once)) as results:
                    async for result in results:
                        yield result
            finally:
                for caller in callers.values():
                    await caller.close()
    finally:
        if engines is None:
            await ours.close()


def _judges(config: Config, asking: Mapping[str, Asking]) -> list[PointwiseJudge]:
    template = _template(config)
    return [
        PointwiseJudge(
            caller,
            template,
            config.judge,
            logprobs=logprobs_of(config.models, role),
            seed=config.loop.seed,
        )
        for role, caller in asking.items()
        if role != _FALLBACK
    ]


def _template(config: Config) -> Template:
    """The packaged template, or one of that name in the folder of the config."""
    folder = Path(config.templates.folder) if config.templates.folder else None
    own = folder is not None and (folder / "score" / f"{_NAME}.jinja").is_file()
    template = load_template("score", _NAME, folder if own else None)
    return template if config.judge.few_shot else template.without_examples()


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


async def _each(pairs: Sequence[RulePair]) -> AsyncIterator[RulePair]:
    for pair in pairs:
        yield pair
