"""What it would take to ask about every principle, before anything is asked."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.engines.cost import PriceTable
from cai.engines.memo import Answer
from cai.errors import RowEngineError, UsageError
from cai.loop.asked_principles import templates_of
from cai.loop.estimate import StageEstimate, stage_estimate
from cai.loop.figures import Figures, Range, total
from cai.loop.judging import open_jury
from cai.loop.plan import Plan
from cai.loop.rehearse import SCENARIOS, StandIn, Tally
from cai.loop.secret import stored_secret
from cai.loop.under import judged_under
from cai.quoting import new_secret
from cai.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cai.loop.judged_run import JudgedRun
    from cai.loop.rehearse import Lane, Scenario
    from cai.records import Pair, Prompt, Request

__all__ = ["AskingPrice", "price_principles"]

_CALLS = 4_000
"""Requests that are rendered at most, and those of one pair more; further pairs are as these."""


@dataclass(frozen=True, slots=True)
class AskingPrice:
    """What is still to be asked.

    Args:
        pairs: that would be asked about.
        stages: calls, tokens and dollars by stage and judge; no stage where all is answered.
    """

    pairs: int
    stages: tuple[StageEstimate, ...]

    @property
    def calls(self) -> Range:
        """Of all judges."""
        return total(stage.calls for stage in self.stages)

    @property
    def tokens(self) -> Range:
        """Read and generated."""
        return total(stage.prompt_tokens + stage.completion_tokens for stage in self.stages)

    @property
    def usd(self) -> Range | None:
        """Dollars; None where a judge that is paid for has no known price."""
        known = [stage.usd for stage in self.stages if stage.usd is not None]
        return total(known) if len(known) == len(self.stages) else None

    @property
    def free(self) -> bool:
        """Whether no judge is paid for."""
        return not any(stage.paid for stage in self.stages)


def price_principles(
    run: RunStore, judged: JudgedRun, pairs: Sequence[tuple[Prompt, Pair]], folder: Path
) -> AskingPrice:
    """Say what `ask_principles` would ask. Starts no model, and needs no key and no network.

    What the run or the folder was answered already costs nothing. How often a fallback judge would
    be asked is not known, and its calls are not in it.

    Args:
        run: whose pairs they are.
        judged: the judge of the run.
        pairs: from `cai.loop.spread_pairs`.
        folder: where answers would be kept; it need not exist.

    Raises:
        ConfigError: the judge cannot be asked in this way, or not any more.
        UsageError: the config of the run does not describe its judge.
    """
    every = judged.every()
    roles = every.config.models.roles
    if missing := [role for role in judged.judges if role not in roles]:
        raise UsageError(
            f"The config in {run.path} does not describe {', '.join(missing)}: the run was given "
            "its judges in Python. Name models of the config to have a price."
        )
    plan = Plan(
        config=every.config,
        constitution=every.constitution,
        templates=templates_of(run, every),
        asked={},
        hash="",
        judges=judged.judges,
    )
    with ExitStack() as opened:
        memories = [run]
        if (folder / "run.db").exists():
            memories.append(opened.enter_context(RunStore.read(folder)))
        rehearsal = _Rehearsal(plan, memories, stored_secret(run) or new_secret())
        *others, most = SCENARIOS
        high = asyncio.run(rehearsal.tally(pairs, most, _CALLS))
        walked = pairs[: high.pairs]
        low, likely = (asyncio.run(rehearsal.tally(walked, s)) for s in others)
    prices = PriceTable.load(every.config.prices)
    stages = (
        stage_estimate(lane, every.config, prices, figures, len(pairs))
        for lane, figures in _by_pair((low, likely, high)).items()
    )
    return AskingPrice(len(pairs), tuple(stages))


class _Rehearsal:
    """Judges pairs with stand-ins for what was not answered yet."""

    def __init__(self, plan: Plan, memories: Sequence[RunStore], secret: bytes) -> None:
        self._plan = plan
        self._memories = memories
        self._secret = secret

    async def tally(
        self, pairs: Sequence[tuple[Prompt, Pair]], scenario: Scenario, most: int | None = None
    ) -> Tally:
        tally, models = Tally(), self._plan.config.models.roles
        asking: dict[str, Any] = {}
        for role, fingerprint in self._plan.judges.items():
            # Only servers may keep log-probabilities to themselves.
            given = scenario.logprobs or models[role].engine != "openai"
            stand_in = StandIn(self._plan, scenario, tally, given, role)
            asking[role] = _Remembering(stand_in, fingerprint, self._memories)
        jury = open_jury(self._plan, asking, secret=self._secret)
        for prompt, pair in pairs:
            try:
                groups = judged_under(self._plan, prompt, pair)
            except RowEngineError:
                groups = []  # No principle is for it; asking would say so, and ask nothing.
            if groups:
                await jury.judge(prompt.messages, pair.first, pair.second, groups)
            tally.pairs += 1
            if most is not None and sum(tally.calls.values()) >= most:
                break
        return tally


class _Remembering:
    """A stand-in that gives what was answered before."""

    def __init__(self, inner: StandIn, fingerprint: str, memories: Sequence[RunStore]) -> None:
        self._inner = inner
        self._fingerprint = fingerprint
        self._memories = memories

    async def ask(self, request: Request) -> Answer:
        request_id = request.identity(self._fingerprint)
        for memory in self._memories:
            if (found := memory.completion(request_id)) is not None:
                return Answer(request_id, found)
        return await self._inner.ask(request)


def _by_pair(tallies: tuple[Tally, Tally, Tally]) -> dict[Lane, Figures]:
    lanes = dict.fromkeys(lane for tally in tallies for lane in tally.calls)

    def mean(name: str, lane: Lane) -> Range:
        return Range(*(getattr(t, name).get(lane, 0) / t.pairs for t in tallies))

    return {
        lane: Figures(
            mean("calls", lane), mean("prompt_tokens", lane), mean("completion_tokens", lane)
        )
        for lane in lanes
    }
