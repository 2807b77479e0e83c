"""A judge that can be asked without `async`, from any thread, and asks nothing twice.

Its event loop runs on a thread of its own, its answers are kept in a run store. Online training
comes back to the same prompts and answers: with the store as memo, a repeated or resumed training
pays only for what is new.
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cai.config import load_config
from cai.engines import Engines, open_engine
from cai.engines.memo import Meter
from cai.errors import ConfigError
from cai.loop.callers import open_callers
from cai.loop.secret import quoting_secret
from cai.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from cai.config import Config
    from cai.engines import Engine
    from cai.judge.pairwise import Asking

__all__ = ["Judging", "reward_folder"]

_Result = TypeVar("_Result")


def reward_folder(config: Config) -> Path:
    """Where the answers of a config's judge to rewards are kept: `rewards` in the run's folder.

    Processes that train together each have one of their own, by their `RANK`: a store has one
    writer.
    """
    rank = int(os.environ.get("RANK", "0"))
    return Path(config.run) / (f"rewards-{rank}" if rank else "rewards")


class Judging:
    """The judge of a config behind the memo, on an event loop in the background."""

    _open: dict[Path, Judging] = {}  # noqa: RUF012 - shared on purpose: a store has one writer
    _guard = threading.Lock()

    def __init__(
        self, config: Config, *, engine: Engine | None = None, folder: Path | None = None
    ) -> None:
        """Start the judge.

        Args:
            config: its `models.judge` (the critic or the policy where it is absent) is asked, and
                its `runtime` holds: concurrency, tries, and budgets, which count all that the
                folder has ever seen.
            engine: in place of the config's judge.
            folder: of the store; see `reward_folder`.

        Raises:
            EngineError: the judge cannot be started.
            StoreError: another process writes to the folder.
        """
        models = config.models
        judge = models.judge or models.critic or models.policy
        # Training waits for each score: a batch that takes hours is of no use here.
        alone = type(models)(policy=judge.model_copy(update={"batch": False}))
        self.config = config
        self.logprobs = judge.logprobs
        self.folder = folder or reward_folder(config)
        self.meter = Meter()
        self._users = 1
        self._shared: Path | None = None
        self._engine = engine or open_engine(judge)
        self._own_engine = engine is None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="cai-rewards", daemon=True)
        self._thread.start()
        self._store: RunStore | None = None
        try:
            self._store = RunStore.open(self.folder, durable=config.runtime.durable)
            self._caller = self._wait(self._start(config.model_copy(update={"models": alone})))
        except BaseException:
            self._stop()
            raise

    @classmethod
    def share(cls, path: Path | str) -> Self:
        """The judge of a `cai.yaml`, opened once for all rewards of this process.

        Each `share` needs a `close`.

        Raises:
            ConfigError: the file cannot be used, or another config with the same run is open.
            EngineError: the judge cannot be started.
        """
        config = load_config(path)
        folder = reward_folder(config).resolve()
        with cls._guard:
            found = cls._open.get(folder)
            if found is None:
                found = cls(config)
                found._shared = folder
                cls._open[folder] = found
            elif found.config != config:
                raise ConfigError(
                    f"Two rewards name different configs with the same run folder, {config.run}. "
                    "Give one of them another 'run:'."
                )
            else:
                found._users += 1
        if not isinstance(found, cls):
            raise TypeError(f"{folder} was opened as a {type(found).__name__}")
        return found

    @property
    def caller(self) -> Asking:
        """The model behind the memo; to be used in coroutines that `run` runs."""
        caller: Asking = self._caller
        return caller

    @property
    def secret(self) -> bytes:
        """Key of the codes in the judge's delimiters; empty with `judge.quoting: plain`.

        Raises:
            StoreError: it cannot be stored.
        """
        if self._store is None:
            raise AssertionError("the store is open as long as the judge is")
        return quoting_secret(self._store, self.folder, self.config.judge)

    def run(self, work: Sequence[Coroutine[Any, Any, _Result]]) -> list[_Result]:
        """Carry out coroutines side by side and wait for all; the first failure ends them.

        Raises:
            Exception: the first that one of them raised.
        """

        async def together() -> list[_Result]:
            tasks = [asyncio.ensure_future(one) for one in work]
            try:
                return list(await asyncio.gather(*tasks))
            finally:
                for task in tasks:
                    task.cancel()

        return self._wait(together())

    def close(self) -> None:
        """Stop the judge, when all who share it have closed it; answers that came are kept."""
        with self._guard:
            self._users -= 1
            if self._users > 0 or not self._thread.is_alive():
                return
            if self._shared is not None:
                del self._open[self._shared]
        try:
            self._wait(self._caller.close())
        finally:
            self._stop()

    async def _start(self, config: Config) -> Any:
        await self._engine.start()
        engines = Engines(self._engine, self._engine, self._engine)
        if self._store is None:
            raise AssertionError("the store is opened before the judge is started")
        return open_callers(engines, config, self._store, self.meter)[id(self._engine)]

    def _wait(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # The wait itself may have been interrupted; then the work is in vain.
            future.cancel()
            raise

    def _stop(self) -> None:
        """Close the engine, the store and the loop, in this order, whatever fails."""
        try:
            if self._own_engine:
                self._wait(self._engine.close())
        finally:
            if self._store is not None:
                self._store.close()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
