"""Using the loop without `async`: an event loop on a thread of its own.

It works where an event loop already runs, as in a notebook.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

__all__ = ["iterate"]

_Item = TypeVar("_Item")


class _End:
    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def iterate(start: Callable[[], AsyncGenerator[_Item]]) -> Iterator[_Item]:
    """Yield what an asynchronous generator yields, a few items ahead at most.

    Args:
        start: makes the asynchronous generator; called on the thread that runs it.

    Raises:
        BaseException: whatever the asynchronous generator raises.
    """
    # Bounded, so that a slow consumer slows the producer down instead of filling memory.
    items: queue.Queue[_Item | _End] = queue.Queue(maxsize=16)
    left = threading.Event()

    async def pump() -> None:
        async with aclosing(start()) as source:
            async for item in source:
                await asyncio.to_thread(_put, items, item, left)
                if left.is_set():
                    break

    def run() -> None:
        end = _End()
        try:
            asyncio.run(pump())
        except BaseException as error:
            end = _End(error)
        _put(items, end, left)

    thread = threading.Thread(target=run, name="cai-loop", daemon=True)
    thread.start()
    try:
        while not isinstance(item := items.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        left.set()
        thread.join()


def _put(items: queue.Queue[_Item | _End], item: _Item | _End, left: threading.Event) -> None:
    """Wait for room, but not for a consumer that has left."""
    while not left.is_set():
        try:
            items.put(item, timeout=0.1)
        except queue.Full:
            continue
        return
