"""The judge of a config on pairs from anywhere, through a store, so that nothing is asked twice."""

from __future__ import annotations

from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.engines.factory import open_judges
from cai.engines.memo import Meter
from cai.errors import RowEngineError
from cai.loop.apart import require_no_run
from cai.loop.asked_principles import Memory
from cai.loop.callers import open_callers, prompts_in_work
from cai.loop.judging import open_jury
from cai.loop.plan import for_judging, load_templates, make_plan
from cai.loop.schedule import in_work
from cai.loop.secret import quoting_secret, stored_secret
from cai.loop.under import judged_under
from cai.store import RunStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable
    from pathlib import Path

    from cai.config import Config
    from cai.constitution.models import Constitution
    from cai.engines.factory import Engines
    from cai.records import Pair, Prompt, Verdict

__all__ = ["Opinion", "judge_pairs"]


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
    # Nothing is revised, so no principle needs the requests for that.
    loop = config.loop.model_copy(update={"rounds": 0})
    config = config.model_copy(update={"loop": loop})
    ours = engines or open_judges(config.models)
    await ours.start()
    try:
        templates = for_judging(load_templates(config), config, constitution)
        plan = make_plan(config, constitution, templates, ours, "")
        with ExitStack() as stack:
            memory = stack.enter_context(Memory.open(folder, durable=config.runtime.durable))
            require_no_run(memory, "answers about the pairs of another source are")
            memory.run = stack.enter_context(RunStore.read(run)) if run else None
            callers = open_callers(ours, config, memory, meter or Meter())
            asking = {role: callers[id(one)] for role, one in ours.judging.items()}
            # With the codes of the run its answers are found again.
            of_run = stored_secret(memory.run) if memory.run else b""
            secret = of_run or quoting_secret(memory, folder, config.judge)
            jury = open_jury(plan, asking, secret=secret)

            async def work(item: tuple[int, tuple[Prompt, Pair]]) -> Opinion:
                number, (prompt, pair) = item
                try:
                    groups = judged_under(plan, prompt, pair)
                    verdict = await jury.judge(prompt.messages, pair.first, pair.second, groups)
                except RowEngineError as error:
                    return Opinion(number, None, str(error))
                return Opinion(number, verdict)

            try:
                found = in_work(_each(pairs), work, prompts_in_work(config))
                async with aclosing(found) as opinions:
                    async for opinion in opinions:
                        yield opinion
            finally:
                for caller in callers.values():
                    await caller.close()
    finally:
        if engines is None:
            await ours.close()


async def _each(
    pairs: Iterable[tuple[Prompt, Pair]],
) -> AsyncIterator[tuple[int, tuple[Prompt, Pair]]]:
    for item in enumerate(pairs):
        yield item
