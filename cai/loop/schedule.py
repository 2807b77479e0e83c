"""Keeping a bounded number of prompts in work, until the last one, without stage barriers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

__all__ = ["in_work"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def in_work(
    items: AsyncIterator[_Item],
    work: Callable[[_Item], Awaitable[_Result]],
    concurrency: int,
) -> AsyncGenerator[_Result]:
    """Yield `await work(item)` as results appear, with at most `concurrency` items in work.

    Memory holds the items in work and as many finished results, however many items there are. The
    first exception ends all work and is raised. Leaving the iteration early does the same.

    Args:
        items: read no faster than they are worked on.
        work: called once for each item.
        concurrency: most items in work.
    """
    results: asyncio.Queue[_Result | BaseException | None] = asyncio.Queue(maxsize=concurrency)
    taking = asyncio.Lock()

    async def worker() -> None:
        try:
            while True:
                async with taking:
                    item = await anext(items, None)
                if item is None:
                    break
                await results.put(await work(item))
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            await results.put(error)
        await results.put(None)

    workers = [asyncio.create_task(worker()) for _ in range(concurrency)]
    try:
        idle = 0
        while idle < concurrency:
            result = await results.get()
            if result is None:
                idle += 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result
    finally:
        for task in workers:
            task.cancel()
        for task in workers:
            with suppress(asyncio.CancelledError):
                await task
