"""The judges of a config, opened on a store, so that nothing is asked twice.

There are two steps, because a plan needs the fingerprints of started models, and a plan that
cannot be carried out must not leave a store behind:

    async with start_judges(config, engines) as started:
        plan = started.plan(constitution)
        async with started.apart(folder, "answers to test cases are") as judges:
            jury = judges.jury(plan)
            async with aclosing(judges.each(items, work)) as results:
                async for result in results:
                    ...
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cai.engines.factory import open_judges
from cai.engines.memo import Meter
from cai.loop.apart import Memory, kept_apart
from cai.loop.callers import calling, prompts_in_work, started
from cai.loop.judging import open_jury
from cai.loop.plan import for_judging, load_templates, make_plan
from cai.loop.schedule import in_work
from cai.loop.secret import quoting_secret, stored_secret

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Mapping,
    )
    from pathlib import Path
    from typing import Any

    from cai.config import Config
    from cai.constitution.models import Constitution
    from cai.engines.factory import Engines
    from cai.judge import Jury
    from cai.judge.pairwise import Asking
    from cai.loop.plan import Plan
    from cai.store import RunStore

    _Item = TypeVar("_Item")
    _Result = TypeVar("_Result")

__all__ = ["Judges", "StartedJudges", "start_judges"]


@asynccontextmanager
async def start_judges(
    config: Config, engines: Engines | None = None
) -> AsyncGenerator[StartedJudges]:
    """Start the judges of a config, and close them at the end.

    Args:
        config: describes them; no other model of it is opened.
        engines: in place of those; they stay open.

    Raises:
        ConfigError: they cannot be opened as described.
        MissingExtraError: the packages that one needs are not installed.
        FatalEngineError: one cannot be started.
    """
    async with started(engines, lambda: open_judges(config.models)) as ours:
        yield StartedJudges(config, ours)


@dataclass(frozen=True)
class StartedJudges:
    """Judges that can be asked once there is a store for their answers."""

    config: Config
    engines: Engines

    def plan(self, constitution: Constitution, **judge: Any) -> Plan:
        """The plan of a run that would judge so; `scopes` of it says what a prompt is under.

        Args:
            constitution: has the principles.
            judge: keys of the section `judge` in place of the config's, such as `scope="each"`.

        Raises:
            ConfigError: the judge cannot be asked in this way.
        """
        config = self.changed(judge)
        templates = for_judging(load_templates(config), config, constitution)
        return make_plan(config, constitution, templates, self.engines, "")

    @asynccontextmanager
    async def apart(
        self, folder: Path, kept: str, *, run: RunStore | None = None, meter: Meter | None = None
    ) -> AsyncGenerator[Judges]:
        """With a folder of their own, which the config's `runtime` and budgets hold for.

        Args:
            folder: keeps the answers; not that of a run.
            kept: what is kept there, with its verb; see `cai.loop.apart.kept_apart`.
            run: whose answers are taken where it was asked the same; it is read.
            meter: counts the calls.

        Raises:
            ConfigError: there is a budget in dollars, and a paid model has no price.
            UsageError: the folder holds a run.
            StoreError: another process writes to the folder, or it cannot be written.
        """
        durable = self.config.runtime.durable
        with kept_apart(folder, kept, run=run, durable=durable) as memory:
            async with self.on(memory, meter or Meter()) as judges:
                yield judges

    @asynccontextmanager
    async def on(self, store: RunStore, meter: Meter) -> AsyncGenerator[Judges]:
        """With a store that is open already, and stays so.

        Raises:
            ConfigError: there is a budget in dollars, and a paid model has no price.
        """
        # The other roles are played by nobody here, and must not say how the judges are asked.
        alone = self.config.model_copy(update={"models": self.config.models.judges_alone()})
        async with calling(self.engines, alone, store, meter) as callers:
            asking = {role: callers[id(one)] for role, one in self.engines.judging.items()}
            yield Judges(self.config, self.engines, store, asking, prompts_in_work(alone))

    def changed(self, judge: Mapping[str, Any]) -> Config:
        """The config with other keys of the section `judge`.

        Nothing is revised, so no principle needs the requests for that.
        """
        section = self.config.judge.model_copy(update=dict(judge))
        loop = self.config.loop.model_copy(update={"rounds": 0})
        return self.config.model_copy(update={"judge": section, "loop": loop})


@dataclass(frozen=True)
class Judges(StartedJudges):
    """Judges behind the memo of a store, to be asked in any way that a config knows.

    `asking` has the model of each role that judges, by the names of `Engines.judging`.
    """

    store: RunStore
    asking: Mapping[str, Asking]
    at_once: int

    def jury(self, plan: Plan) -> Jury:
        """The judge of pairs of a plan.

        Raises:
            StoreError: the secret of the store cannot be written.
        """
        return open_jury(plan, self.asking, secret=self.secret(plan.config))

    def secret(self, config: Config) -> bytes:
        """Key of the codes in delimiters; empty with `judge.quoting: plain`.

        With the codes of the run whose answers are known, those are found again.

        Raises:
            StoreError: it cannot be written.
        """
        run = self.store.run if isinstance(self.store, Memory) else None
        of_run = stored_secret(run) if run else b""
        return of_run or quoting_secret(self.store, self.store.folder, config.judge)

    def each(
        self, items: Iterable[_Item], work: Callable[[_Item], Awaitable[_Result]]
    ) -> AsyncGenerator[_Result]:
        """Yield what work on each item comes to as it is there; see `cai.loop.schedule.in_work`.

        Args:
            items: none of them None; read as they are worked on.
            work: asks the judges. As many are in work as keep these busy.
        """
        return in_work(_given(items), work, self.at_once)


async def _given(items: Iterable[_Item]) -> AsyncIterator[_Item]:
    for item in items:
        yield item
