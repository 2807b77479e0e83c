"""From started engines to callers: one floor, one account, and a caller for each model."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cai.engines.base import answering
from cai.engines.cost import Account, PriceTable, require_prices
from cai.engines.flow import Dispatcher, Floor
from cai.engines.memo import Caller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from cai.config import Config, ModelConfig
    from cai.engines import Engine, Engines
    from cai.engines.batch import BatchCaller
    from cai.engines.memo import Meter
    from cai.store import RunStore

__all__ = ["calling", "is_paid", "model_name", "open_callers", "prompts_in_work", "started"]

_PROMPTS_IN_A_BATCH = 10_000
"""Prompts in work where calls wait for batches: many go into one, and each takes a while."""


def open_callers(
    engines: Engines, config: Config, store: RunStore, meter: Meter
) -> dict[int, Caller | BatchCaller]:
    """A caller for each distinct engine, by its `id`. Roles that share an engine share its caller.

    Must be called in the event loop that the calls run in.

    Raises:
        ConfigError: there is a budget in dollars, and a paid model has no price.
    """
    from cai.engines.batch import BatchCaller
    from cai.engines.openai import OpenAIEngine

    runtime, spent = config.runtime, store.spent()
    prices = PriceTable.load(config.prices)
    paid = [model_name(engine) for engine in engines.distinct if is_paid(engine)]
    if runtime.budget_usd is not None:
        require_prices(prices, paid)
    account = Account(
        prices,
        usd_limit=runtime.budget_usd,
        tokens_limit=runtime.budget_tokens,
        spent_usd=spent.usd,
        spent_tokens=spent.tokens,
    )
    floor = Floor(runtime.concurrency)
    roles = engines.roles
    batched = {
        id(roles[role])
        for role, model in config.models.roles.items()
        if role in roles and _batched(model)
    }

    def caller(engine: Engine) -> Caller | BatchCaller:
        price, paid = prices.price(model_name(engine)), is_paid(engine)
        # Engines that are given in Python are not those that the config describes.
        if id(engine) in batched and isinstance(engine, OpenAIEngine):
            return BatchCaller(
                engine,
                store,
                meter,
                account=account,
                price=price,
                paid=paid,
                attempts=runtime.attempts,
                run=store.folder.name,
            )
        return Caller(
            engine,
            store,
            meter,
            Dispatcher(answering(engine), floor),
            account=account,
            price=price,
            paid=paid,
            attempts=runtime.attempts,
        )

    return {id(engine): caller(engine) for engine in engines.distinct}


@asynccontextmanager
async def started(given: Engines | None, opening: Callable[[], Engines]) -> AsyncGenerator[Engines]:
    """Start engines, and close them at the end unless they were given.

    Args:
        given: in place of those that would be opened; they stay open.
        opening: makes them.

    Raises:
        ConfigError: they cannot be opened as described.
        MissingExtraError: the packages that one needs are not installed.
        FatalEngineError: one cannot be started.
    """
    engines = given or opening()
    await engines.start()
    try:
        yield engines
    finally:
        if given is None:
            await engines.close()


@asynccontextmanager
async def calling(
    engines: Engines, config: Config, store: RunStore, meter: Meter
) -> AsyncGenerator[dict[int, Caller | BatchCaller]]:
    """Open callers as `open_callers` does, and close them at the end."""
    callers = open_callers(engines, config, store, meter)
    try:
        yield callers
    finally:
        for caller in callers.values():
            await caller.close()


def prompts_in_work(config: Config) -> int:
    """How many prompts to work on at once: enough that a free place always finds a call.

    While the answer of one prompt is being stored and its next request written, the place that it
    held is taken by another prompt. Where a model is asked in batches, many prompts wait together.
    """
    runtime = config.runtime
    if any(map(_batched, config.models.roles.values())):
        return runtime.prompts_in_work or max(_PROMPTS_IN_A_BATCH, runtime.concurrency)
    return runtime.prompts_in_work or runtime.concurrency + max(4, runtime.concurrency // 2)


def is_paid(engine: Engine) -> bool:
    """Whether calls to an engine cost money."""
    return any(not traits.free for _, traits in answering(engine))


def model_name(engine: Engine) -> str:
    """The name by which a model has its price: what follows the engine in its fingerprint."""
    return engine.fingerprint.partition("/")[2] or engine.fingerprint


def _batched(model: ModelConfig) -> bool:
    # `--engine` on the command line may have put another engine in place of the one with batches.
    return model.batch and model.engine == "openai"
