"""Every principle on some judged pairs of a run, asked of the run's own judge.

A run that draws one principle for each pair, or shows all in one question, cannot tell what one of
them decides. Here each is asked about the same pairs. Nothing is asked twice: what the run itself
was answered is read from it, and new answers are kept beside it.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.errors import ConfigError, UsageError
from cai.loop.asked_store import keep
from cai.loop.judges import start_judges
from cai.loop.judging import judging_stage
from cai.loop.opinions import pair_judge
from cai.loop.plan import for_judging, load_templates

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from cai.engines.factory import Engines
    from cai.engines.memo import Meter
    from cai.loop.judged_run import JudgedRun
    from cai.loop.plan import TemplateKey
    from cai.records import Pair, Prompt, Verdict
    from cai.store import RunStore
    from cai.templates import Template

__all__ = ["AskedPair", "ask_principles", "templates_of"]


@dataclass(frozen=True, slots=True)
class AskedPair:
    """A pair and its verdict under every principle; `problem` says why there is none."""

    pair_id: str
    verdict: Verdict | None
    problem: str = ""


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
    templates_of(run, every)
    kept = "what is asked about principles is"
    async with start_judges(every.config, engines) as started:
        _require_same_judges(judged, started.engines)
        plan = started.plan(every.constitution)
        async with started.apart(folder, kept, run=run, meter=meter) as judges:
            judge = pair_judge(judges, plan)

            async def work(item: tuple[Prompt, Pair]) -> AskedPair:
                prompt, pair = item
                return AskedPair(pair.id, *await judge(prompt, pair))

            async with aclosing(judges.each(pairs, work)) as results:
                async for result in results:
                    if result.verdict is not None:
                        keep(judges.store, judged.digest, {result.pair_id: result.verdict})
                    yield result


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
