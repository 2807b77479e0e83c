"""Every principle on some judged pairs of a run, asked of the run's own judge.

A run that draws one principle for each pair, or shows all in one question, cannot tell what one of
them decides. Here each is asked about the same pairs. Nothing is asked twice: what the run itself
was answered is read from it, and new answers are kept beside it.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.engines.factory import open_engines
from cai.engines.memo import Meter
from cai.errors import ConfigError, RowEngineError, UsageError
from cai.loop.apart import require_no_run
from cai.loop.asked_store import keep
from cai.loop.callers import open_callers, prompts_in_work
from cai.loop.judging import judging_stage, open_jury
from cai.loop.plan import for_judging, load_templates, make_plan
from cai.loop.schedule import in_work
from cai.loop.secret import quoting_secret, stored_secret
from cai.loop.under import judged_under
from cai.store import RunStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from pathlib import Path

    from cai.config import ModelsConfig
    from cai.engines.factory import Engines
    from cai.loop.judged_run import JudgedRun
    from cai.loop.plan import TemplateKey
    from cai.records import Completion, Pair, Prompt, Verdict
    from cai.templates import Template

__all__ = ["AskedPair", "Memory", "ask_principles", "templates_of"]


@dataclass(frozen=True, slots=True)
class AskedPair:
    """A pair and its verdict under every principle; `problem` says why there is none."""

    pair_id: str
    verdict: Verdict | None
    problem: str = ""


class Memory(RunStore):
    """A store that also knows what a run was answered. It writes to itself alone."""

    run: RunStore | None = None

    def completion(self, request_id: str) -> Completion | None:
        """What was answered to this request, here or in the run."""
        found = super().completion(request_id)
        return self.run.completion(request_id) if found is None and self.run else found


async def ask_principles(
    run: RunStore,
    judged: JudgedRun,
    pairs: Sequence[tuple[Prompt, Pair]],
    folder: Path,
    *,
    engines: Engines | None = None,
    meter: Meter | None = None,
) -> AsyncGenerator[AskedPair]:
    """Judge pairs under every principle that their prompt is under, and keep the verdicts.

    Args:
        run: whose pairs they are; it is read.
        judged: the judge of the run.
        pairs: with their prompts, from `cai.loop.spread_pairs`.
        folder: of the store that keeps answers and verdicts; not that of a run.
        engines: in place of those that the config describes; they stay open.
        meter: counts the calls.

    Raises:
        ConfigError: the judge cannot be asked in this way, or is not that of the run any more.
        UsageError: the folder holds a run.
        FatalEngineError: the judge cannot be asked any more; what was answered is kept.
        StoreError: another process writes to the folder, or it cannot be written.
    """
    every = judged.every()
    config = every.config.model_copy(update={"models": _judges_alone(every.config.models)})
    templates = templates_of(run, every)
    ours = engines or open_engines(config.models)
    await ours.start()
    try:
        _require_same_judges(judged, ours)
        plan = make_plan(config, every.constitution, templates, ours, "")
        with Memory.open(folder, durable=config.runtime.durable) as memory:
            require_no_run(memory, "what is asked about principles is")
            memory.run = run
            callers = open_callers(ours, config, memory, meter or Meter())
            asking = {role: callers[id(one)] for role, one in ours.judging.items()}
            # With the codes of the run its answers are found again.
            secret = stored_secret(run) or quoting_secret(memory, folder, config.judge)
            jury = open_jury(plan, asking, secret=secret)

            async def work(item: tuple[Prompt, Pair]) -> AskedPair:
                prompt, pair = item
                try:
                    groups = judged_under(plan, prompt, pair)
                    verdict = await jury.judge(prompt.messages, pair.first, pair.second, groups)
                except RowEngineError as error:
                    return AskedPair(pair.id, None, str(error))
                return AskedPair(pair.id, verdict)

            try:
                found = in_work(_each(pairs), work, prompts_in_work(config))
                async with aclosing(found) as results:
                    async for result in results:
                        if result.verdict is not None:
                            keep(memory, judged.digest, {result.pair_id: result.verdict})
                        yield result
            finally:
                for caller in callers.values():
                    await caller.close()
    finally:
        if engines is None:
            await ours.close()


def templates_of(run: RunStore, judged: JudgedRun) -> dict[TemplateKey, Template]:
    """The templates of a run.

    Raises:
        ConfigError: that of the judge is missing, or is not what it was when the run was made.
    """
    templates = for_judging(load_templates(judged.config), judged.config, judged.constitution)
    stage = judging_stage(judged.config)
    stored = (run.meta("templates") or {}).get(stage) or {}
    if stored.get("hash") != templates[stage].hash:
        raise ConfigError(
            f"The template {stage}/{templates[stage].name} has changed since {run.folder} was "
            "judged, so its judge cannot be asked any more. Put the old template back, or judge "
            "the run again with 'cai generate --update'."
        )
    return templates


def _judges_alone(models: ModelsConfig) -> ModelsConfig:
    """So that no other model is opened."""
    one = models.judges[0] if models.judges else models.judge or models.critic or models.policy
    return models.model_copy(update={"policy": one, "critic": None, "judge": None})


def _require_same_judges(judged: JudgedRun, engines: Engines) -> None:
    ours = {role: engine.fingerprint for role, engine in engines.judging.items()}
    if ours != judged.judges:
        raise UsageError(
            f"The run was judged by {_named(judged.judges)}; what its config describes is "
            f"{_named(ours)}. Bring the old judge back. Models that were given in Python are given "
            "to cai.loop.asked_principles.ask_principles as engines."
        )


def _named(judges: dict[str, str]) -> str:
    return ", ".join(f"{name} ({role})" for role, name in judges.items()) or "nobody"


async def _each(pairs: Sequence[tuple[Prompt, Pair]]) -> AsyncIterator[tuple[Prompt, Pair]]:
    for one in pairs:
        yield one
