"""One prompt's walk through the loop: sample, critique, revise, pair, judge."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cai.errors import RowEngineError
from cai.hashing import unit_interval
from cai.loop.contrast import constitution_sample
from cai.loop.pair import answer_contrast, revision_pair, sample_pairs
from cai.loop.revise import revise_rounds
from cai.loop.sample import sample
from cai.records import Row, Sampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.config import SamplingConfig
    from cai.constitution.models import Constitution
    from cai.judge import Jury
    from cai.judge.pairwise import Asking
    from cai.loop.plan import Plan
    from cai.records import Pair, Prompt, Response, Revision

__all__ = ["Desk", "Walk"]


@dataclass(frozen=True)
class Desk:
    """What every walk of a run works with: the plan and the models behind the memo."""

    plan: Plan
    policy: Asking
    critic: Asking
    judge: Jury


@dataclass(frozen=True)
class Walk:
    """The walk of one prompt. Steps run as soon as what they need is there."""

    desk: Desk
    prompt: Prompt

    @cached_property
    def prompt_id(self) -> str:
        """The id of the prompt, which all its draws and seeds depend on."""
        return self.prompt.id

    @cached_property
    def constitution(self) -> Constitution:
        """The principles that the prompt is under."""
        return self.desk.plan.scopes.of(self.prompt)

    async def run(self) -> Row:
        """Walk the whole chain.

        Returns:
            The row; when a call could not be answered, a failed row that says why.

        Raises:
            FatalEngineError: no request can be answered any more.
            StoreError: answers cannot be stored any more.
        """
        plan = self.desk.plan
        try:
            # Tags alone decide it, so it is known before anything is paid for.
            plan.scopes.require(self.prompt)
            return await self._walk()
        except RowEngineError as error:
            return Row(self.prompt, plan.hash, error=str(error))

    async def _walk(self) -> Row:
        loop = self.desk.plan.config.loop
        if loop.samples == 1 and "contrast" not in loop.pairs:
            return await self._single()
        samples = [asyncio.ensure_future(sample(self, i)) for i in range(loop.samples)]
        revised = samples if loop.revise == "all" else samples[:1]
        chains = [asyncio.ensure_future(self._chain(i, s)) for i, s in enumerate(revised)]
        pairs: list[asyncio.Task[tuple[Pair, ...]]] = []
        if "revision" in loop.pairs:
            pairs += [
                asyncio.ensure_future(self._revision_pair(i, samples[i], chain))
                for i, chain in enumerate(chains)
            ]
        if "samples" in loop.pairs:
            pairs.append(asyncio.ensure_future(self._sample_pairs(samples)))
        contrast: list[asyncio.Task[Response]] = []
        if "contrast" in loop.pairs:
            contrast.append(asyncio.ensure_future(constitution_sample(self)))
            pairs.append(asyncio.ensure_future(self._contrast_pair(contrast[0], samples[0])))
        tasks: list[asyncio.Task[object]] = [*samples, *chains, *contrast, *pairs]
        try:
            # All are awaited even if one fails: their answers are paid for and worth keeping.
            results = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for task in tasks:
                task.cancel()
        _raise_worst(results)
        return Row(
            prompt=self.prompt,
            plan=self.desk.plan.hash,
            samples=tuple(task.result() for task in samples),
            revisions=tuple(task.result() for task in chains),
            pairs=tuple(pair for task in pairs for pair in task.result()),
            contrast=tuple(task.result() for task in contrast),
        )

    async def _single(self) -> Row:
        """The walk with one sample: nothing in it can be done at the same time."""
        response = await sample(self, 0)
        chain = await revise_rounds(self, 0, response)
        wanted = "revision" in self.desk.plan.config.loop.pairs
        pairs = await revision_pair(self, 0, response, chain) if wanted else ()
        return Row(self.prompt, self.desk.plan.hash, (response,), (chain,), pairs)

    async def _chain(self, index: int, pending: asyncio.Task[Response]) -> tuple[Revision, ...]:
        return await revise_rounds(self, index, await pending)

    async def _revision_pair(
        self, index: int, sample: asyncio.Task[Response], chain: asyncio.Task[tuple[Revision, ...]]
    ) -> tuple[Pair, ...]:
        return await revision_pair(self, index, await sample, await chain)

    async def _sample_pairs(self, pending: Sequence[asyncio.Task[Response]]) -> tuple[Pair, ...]:
        return await sample_pairs(self, [await sample for sample in pending])

    async def _contrast_pair(
        self, under: asyncio.Task[Response], plain: asyncio.Task[Response]
    ) -> tuple[Pair, ...]:
        return await answer_contrast(self, await under, await plain)

    def sampling(self, config: SamplingConfig, *position: str | int) -> Sampling:
        """Decoding of one step, with a seed derived from the run's seed, prompt and position."""
        seed = unit_interval(self.desk.plan.config.loop.seed, self.prompt_id, *position)
        return Sampling(
            max_tokens=config.max_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            seed=int(seed * 2**31),
        )


def _raise_worst(results: Sequence[object]) -> None:
    """Raise the gravest of the exceptions: one that concerns the run before one of the row."""
    failures = [result for result in results if isinstance(result, BaseException)]
    for failure in failures:
        if not isinstance(failure, RowEngineError):
            raise failure
    if failures:
        raise failures[0]
