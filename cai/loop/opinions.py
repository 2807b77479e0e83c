"""The judge of a config on pairs from anywhere, through a store, so that nothing is asked twice."""

from __future__ import annotations

from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.errors import RowEngineError
from cai.loop.judges import start_judges
from cai.loop.under import judged_under
from cai.store import RunStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
    from pathlib import Path

    from cai.config import Config
    from cai.constitution.models import Constitution
    from cai.engines.factory import Engines
    from cai.engines.memo import Meter
    from cai.loop.judges import Judges
    from cai.loop.plan import Plan
    from cai.records import Pair, Prompt, Verdict

__all__ = ["Opinion", "judge_pairs", "pair_judge"]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the judge says of one pair; `problem` says why it was not asked, or not answered.

    `number` is the place of the pair among those that were given, from 0.
    """

    number: int
    verdict: Verdict | None
    problem: str = ""


async def judge_pairs(
    config: Config,
    constitution: Constitution,
    pairs: Iterable[tuple[Prompt, Pair]],
    folder: Path,
    *,
    run: Path | None = None,
    engines: Engines | None = None,
    meter: Meter | None = None,
) -> AsyncGenerator[Opinion]:
    """Judge pairs as a run would, and yield each as it is there, in any order.

    Args:
        config: its judge is asked, under principles that are drawn as in a run.
        constitution: has the principles.
        pairs: with their prompts, read as they are worked on; verdicts in them are not used.
        folder: of the store that keeps the answers; not that of a run.
        run: whose answers are taken where it was asked the same; it is read.
        engines: in place of those that the config describes; they stay open.
        meter: counts the calls.

    Raises:
        ConfigError: the judge cannot be asked in this way.
        UsageError: the folder holds a run.
        FatalEngineError: the judge cannot be asked any more; what was answered is kept.
        StoreError: another process writes to the folder, or it cannot be written.
    """
    kept = "answers about the pairs of another source are"
    with RunStore.read(run) if run else nullcontext() as known:
        async with start_judges(config, engines) as started:
            plan = started.plan(constitution)
            async with started.apart(folder, kept, run=known, meter=meter) as judges:
                judge = pair_judge(judges, plan)

                async def work(item: tuple[int, tuple[Prompt, Pair]]) -> Opinion:
                    number, (prompt, pair) = item
                    return Opinion(number, *await judge(prompt, pair))

                async with aclosing(judges.each(enumerate(pairs), work)) as opinions:
                    async for opinion in opinions:
                        yield opinion


def pair_judge(
    judges: Judges, plan: Plan
) -> Callable[[Prompt, Pair], Awaitable[tuple[Verdict | None, str]]]:
    """A function that judges a pair as a run would: the verdict, or why there is none."""
    jury = judges.jury(plan)

    async def judge(prompt: Prompt, pair: Pair) -> tuple[Verdict | None, str]:
        try:
            groups = judged_under(plan, prompt, pair)
            return await jury.judge(prompt.messages, pair.first, pair.second, groups), ""
        except RowEngineError as error:
            return None, str(error)

    return judge
