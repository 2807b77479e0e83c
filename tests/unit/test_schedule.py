import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest

from cai.loop.schedule import in_work
from cai.loop.sync import iterate


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def test_everything_is_done_once() -> None:
    async def double(number: int) -> int:
        await asyncio.sleep(0.0001 * (number % 3))
        return number * 2

    done = [result async for result in in_work(numbers(50), double, 7)]
    assert sorted(done) == [2 * n for n in range(50)]


@pytest.mark.parametrize("concurrency", [1, 4, 100])
async def test_the_bound_holds(concurrency: int) -> None:
    now = peak = 0

    async def work(number: int) -> int:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0.001)
        now -= 1
        return number

    done = [result async for result in in_work(numbers(30), work, concurrency)]
    assert len(done) == 30
    assert peak == min(concurrency, 30)


async def test_a_slow_consumer_slows_the_reading() -> None:
    read = 0

    async def source() -> AsyncIterator[int]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield number

    async def work(number: int) -> int:
        return number

    results = in_work(source(), work, 4)
    await anext(results)
    await asyncio.sleep(0.01)
    assert read <= 16
    await results.aclose()  # type: ignore[attr-defined]


async def test_the_first_error_ends_all_work() -> None:
    cancelled = 0

    async def work(number: int) -> int:
        nonlocal cancelled
        if number == 3:
            raise ValueError("three")
        try:
            await asyncio.sleep(10 if number > 3 else 0)
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return number

    with pytest.raises(ValueError, match="three"):
        async for _ in in_work(numbers(100), work, 8):
            pass
    assert cancelled > 0


async def test_an_error_of_the_source_is_raised() -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise KeyError("line 2")

    async def work(number: int) -> int:
        return number

    with pytest.raises(KeyError):
        async for _ in in_work(source(), work, 3):
            pass


def test_sync_iteration_yields_in_order() -> None:
    assert list(iterate(lambda: numbers(100))) == list(range(100))


def test_sync_iteration_raises() -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise ValueError("late")

    items = iterate(source)
    assert next(items) == 1
    with pytest.raises(ValueError, match="late"):
        next(items)


def test_leaving_ends_the_thread_and_closes_the_source() -> None:
    closed = threading.Event()

    async def endless() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            closed.set()

    items = iterate(endless)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert closed.wait(5)
    deadline = time.monotonic() + 5
    while any(t.name == "cai-loop" for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
