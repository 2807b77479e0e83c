"""The test cases of a constitution before the judge of a config, through a run store.

Repeats differ in the seed alone, `loop.seed` + i: the seed of short samples, of a judge without
log-probabilities, and of reasonings. A judge that is read from log-probabilities at temperature 0
is asked the same again, which the memo answers; what tells of its doubts are the two orders and how
close p is to one half.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cai.errors import RowEngineError
from cai.judge.cases import CaseResult, Reading, read_verdict, settle
from cai.loop.follows import follows_jury
from cai.loop.judges import start_judges
from cai.records import Prompt

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from cai.config import Config
    from cai.constitution.case_files import FoundCase
    from cai.constitution.cases import Case
    from cai.constitution.models import Constitution, Principle
    from cai.engines.factory import Engines
    from cai.engines.memo import Meter
    from cai.judge import Jury
    from cai.loop.judges import Judges
    from cai.loop.plan import Plan

__all__ = ["judging_only", "run_cases"]


@dataclass(frozen=True)
class _Bench:
    """Who is asked in one repeat: about two answers, and about one."""

    pairs: Jury
    answers: Jury


async def run_cases(
    config: Config,
    constitution: Constitution,
    cases: Sequence[FoundCase],
    folder: Path,
    *,
    repeats: int = 1,
    margin: float = 0.0,
    engines: Engines | None = None,
    meter: Meter | None = None,
) -> AsyncGenerator[CaseResult]:
    """Yield the result of each case as it is there, in any order.

    A case under the whole constitution is judged as `judge.scope` says: each principle in a
    question of its own, or all in one, also where a run would draw some of them.

    Args:
        config: its judge is asked, each question about two answers in both orders.
        constitution: has the principles that the cases name.
        cases: from `cai.constitution.case_files.load_cases`.
        folder: of the run store that keeps the answers, so that none is asked for twice; not that
            of a run.
        repeats: how often each case is asked about.
        margin: see `cai.judge.cases.settle`.
        engines: in place of those that the config describes; they stay open.
        meter: counts the calls.

    Raises:
        ConfigError: the judge cannot be asked in this way.
        UsageError: the folder holds a run.
        FatalEngineError: the judge cannot be asked any more; what was answered is kept.
        StoreError: another process writes to the folder, or it cannot be written.
    """
    async with start_judges(judging_only(config), engines) as started:
        plan = started.plan(constitution)
        async with started.apart(folder, "answers to test cases are", meter=meter) as judges:
            benches = [_bench(judges, plan, i) for i in range(repeats)]

            async def work(found: FoundCase) -> CaseResult:
                readings = [await _read(plan, bench, found.case) for bench in benches]
                return settle(found, readings, config.judge.tie_band, margin)

            async with aclosing(judges.each(cases, work)) as results:
                async for result in results:
                    yield result


def judging_only(config: Config) -> Config:
    """The config with nothing but its judges, which compare in both orders; no prompts are mixed.

    No other model is opened. Where principles would be drawn, all are shown in one question.
    """
    judge = config.judge
    scope = "constitution" if judge.scope == "drawn" else judge.scope
    return config.model_copy(
        update={
            "models": config.models.judges_alone(),
            "judge": judge.model_copy(update={"orders": "both", "scope": scope}),
            "prompts": config.prompts.model_copy(update={"mix": ()}),
            # Nothing is revised, so no principle needs the requests for that.
            "loop": config.loop.model_copy(update={"rounds": 0}),
        }
    )


def _bench(judges: Judges, plan: Plan, repeat: int) -> _Bench:
    loop = plan.config.loop
    seeded = loop.model_copy(update={"seed": loop.seed + repeat})
    plan = replace(plan, config=plan.config.model_copy(update={"loop": seeded}))
    answers = follows_jury(plan, judges.asking, secret=judges.secret(plan.config))
    return _Bench(judges.jury(plan), answers)


async def _read(plan: Plan, bench: _Bench, case: Case) -> Reading:
    tie_band = plan.config.judge.tie_band
    try:
        groups = _groups(plan, case)
        if case.better is not None and case.worse is not None:
            verdict = await bench.pairs.judge(case.messages, case.better, case.worse, groups)
            return read_verdict([verdict], tie_band, pair=True)
        verdicts = [
            await bench.answers.judge(case.messages, case.answer or "", "", [group])
            for group in groups
        ]
        violates = bool(case.violates)
        return read_verdict(verdicts, tie_band, pair=False, violates=violates)
    except RowEngineError as error:
        return Reading("unasked", reason=str(error))


def _groups(plan: Plan, case: Case) -> list[tuple[Principle, ...]]:
    """The principles of a case; each group is one question."""
    if case.principle is not None:
        return [(plan.constitution[case.principle],)]
    prompt = Prompt(case.messages, case.tags)
    # About one answer the texts are asked, which every principle has.
    narrowed = plan.scopes.of if case.better is None else plan.scopes.judging
    ranked = narrowed(prompt).ranked
    return [ranked] if plan.config.judge.scope == "constitution" else [(p,) for p in ranked]
