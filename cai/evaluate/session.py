"""Asking models under test and their judges, through a run store, so that nothing is asked twice.

An evaluation has a store folder of its own. Subjects are opened one after the other, so that only
one of them is in memory; then the judges of the config are opened.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cai.engines.factory import Engines, open_engine
from cai.engines.memo import Meter
from cai.errors import RowEngineError
from cai.evaluate.records import Answered
from cai.hashing import unit_interval
from cai.loop import judges as loop
from cai.loop.apart import Memory
from cai.loop.callers import calling, prompts_in_work, started
from cai.loop.judging import open_pointwise
from cai.loop.plan import load_templates
from cai.records import Request, Sampling
from cai.templates import load_template

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Any, TypeVar

    from cai.config import Config, SamplingConfig
    from cai.constitution.models import Constitution
    from cai.engines import Engine
    from cai.evaluate.records import Subject
    from cai.judge import PointwiseJudge
    from cai.judge.pairwise import Asking
    from cai.loop.plan import Plan
    from cai.records import Prompt
    from cai.store import RunStore

    _Result = TypeVar("_Result")
    Say = Callable[[Prompt, int], Awaitable[Answered]]

__all__ = ["Judges", "Session"]


class Session:
    """The store of an evaluation, and the config whose judge and run-time settings hold."""

    def __init__(
        self,
        config: Config,
        constitution: Constitution,
        folder: Path,
        *,
        run: RunStore | None = None,
    ) -> None:
        """Open the folder of the store; it is made when there is none.

        Args:
            config: see the class.
            constitution: that judges go by.
            folder: keeps what is asked here.
            run: what it was answered is known, too, and not asked again; it is read.

        Raises:
            StoreError: another process writes to it, or it cannot be written.
        """
        self.config = config
        self.constitution = constitution
        self.folder = folder
        self.meter = Meter()
        self.store = Memory.open(folder, durable=config.runtime.durable)
        self.store.run = run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.store.close()

    async def answers(
        self,
        subject: Subject,
        prompts: Sequence[Prompt],
        *,
        samples: int = 1,
        sampling: SamplingConfig | None = None,
        engine: Engine | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> list[Answered]:
        """What a subject says to each prompt, `samples` times, in the order of the prompts.

        Args:
            subject: opened for this, and closed afterwards.
            prompts: conversations that wait for an answer.
            samples: answers per prompt.
            sampling: decoding; `loop.sample` of the config when absent. The seed of each answer
                depends on `loop.seed`, the prompt and its number, and not on the subject.
            engine: in place of the one that the subject describes; it stays open.
            tick: called after each answer.

        Raises:
            ConfigError: the model cannot be opened as described.
            FatalEngineError: it cannot be asked any more; what was answered is kept.
        """
        async with self.speaking(subject, sampling=sampling, engine=engine) as say:

            async def one(prompt: Prompt, number: int) -> Answered:
                try:
                    return await say(prompt, number)
                finally:
                    tick()

            return await self.side_by_side(
                [partial(one, p, n) for p in prompts for n in range(samples)]
            )

    @asynccontextmanager
    async def speaking(
        self,
        subject: Subject,
        *,
        sampling: SamplingConfig | None = None,
        engine: Engine | None = None,
    ) -> AsyncGenerator[Say]:
        """A subject to talk to: a function of a conversation and the number of the answer.

        For conversations that are built up with the subject's own answers. Arguments and errors are
        those of `answers`; a request that cannot be answered is an `Answered` with an error.
        """
        decoding = sampling or self.config.loop.sample
        template = load_templates(self.config)["sample"]

        async def one(caller: Asking, prompt: Prompt, number: int) -> Answered:
            seed = unit_interval(self.config.loop.seed, prompt.id, "evaluate", number)
            request = Request(
                messages=template.render({}, prompt.messages),
                sampling=Sampling(
                    max_tokens=decoding.max_tokens,
                    temperature=decoding.temperature,
                    top_p=decoding.top_p,
                    seed=int(seed * 2**31),
                ),
                sample_index=number,
                shared=template.shared,
                stage="sample",
            )
            try:
                answer = await caller.ask(request)
            except RowEngineError as error:
                return Answered(subject.name, prompt, number, "", "refused", "", str(error))
            said = answer.completion
            return Answered(
                subject.name, prompt, number, said.text.strip(), said.outcome, answer.request_id
            )

        async with self.asking(subject, engine=engine) as caller:
            yield partial(one, caller)

    @asynccontextmanager
    async def asking(
        self, subject: Subject, *, engine: Engine | None = None
    ) -> AsyncGenerator[Asking]:
        """A subject behind the memo, for requests of one's own, such as for log-probabilities.

        Arguments and errors are those of `answers`.
        """

        def opening() -> Engines:
            return _one(open_engine(subject.model))

        models = type(self.config.models)(policy=subject.model)
        config = self.config.model_copy(update={"models": models})
        async with (
            started(_one(engine) if engine else None, opening) as engines,
            calling(engines, config, self.store, self.meter) as callers,
        ):
            yield callers[id(engines.policy)]

    async def side_by_side(self, work: Iterable[Callable[[], Awaitable[_Result]]]) -> list[_Result]:
        """Carry out many small jobs, as many at once as the config's run-time settings allow.

        Raises:
            Exception: the first that a job raised; the others are given up.
        """
        places = asyncio.Semaphore(prompts_in_work(self.config))

        async def placed(job: Callable[[], Awaitable[_Result]]) -> _Result:
            async with places:
                return await job()

        tasks = [asyncio.ensure_future(placed(job)) for job in work]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    @asynccontextmanager
    async def judges(self, *, engines: Engines | None = None) -> AsyncGenerator[Judges]:
        """Open the judges of the config.

        Args:
            engines: in place of those that the config describes; they stay open.

        Raises:
            ConfigError: the judge cannot be asked in the way that the config says.
            FatalEngineError: a judge cannot be started.
        """
        async with (
            loop.start_judges(self.config, engines) as starting,
            starting.on(self.store, self.meter) as judges,
        ):
            yield Judges(**vars(judges), session=self)


@dataclass(frozen=True)
class Judges(loop.Judges):
    """The judges of a session."""

    session: Session

    def plan(self, constitution: Constitution | None = None, **judge: Any) -> Plan:
        """As `cai.loop.judges.StartedJudges.plan`, by default under the session's constitution."""
        return super().plan(constitution or self.session.constitution, **judge)

    def pointwise(self, template: str, **judge: Any) -> PointwiseJudge:
        """The first judge, asked about one answer at a time.

        Args:
            template: name in `prompts/score/`.
            judge: keys of the section `judge` in place of the config's.

        Raises:
            ConfigError: there is no such template, or its labels make no scale.
        """
        config = self.changed(judge)
        folder = config.templates.folder
        made = load_template("score", template, Path(folder) if folder else None)
        if config.judge.quoting == "nonce":
            made = made.with_nonces().with_secret(self.secret(config))
        role = next(iter(self.asking))
        return open_pointwise(config, role, self.asking[role], made)


def _one(engine: Engine) -> Engines:
    """One model in all roles."""
    return Engines(engine, engine, engine)
