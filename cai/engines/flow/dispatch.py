"""Sending calls: each waits for a place, goes to the best address, is given up when late."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from cai.engines.flow.lane import Lane, estimate
from cai.errors import EngineError, TransientEngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from cai.engines.base import Answering, Traits
    from cai.engines.flow.floor import Floor
    from cai.records import Completion, Request

__all__ = ["Dispatcher"]

_HEDGED_SHARE = 0.05
_LOOK_EVERY_S, _SHORTEST_PAUSE_S = 0.25, 0.01


class Dispatcher:
    """The calls to one model. Lives in one event loop.

    A call occupies a place of the floor from the moment it is sent until its answer is there; what
    is done with the answer, and the wait before a retry, occupy none.
    """

    def __init__(self, places: Iterable[tuple[Answering, Traits]], floor: Floor) -> None:
        """Send to these addresses, within the bound of the floor."""
        self._clock = asyncio.get_running_loop().time
        self._lanes = [Lane(place, traits, floor.places, self._clock()) for place, traits in places]
        self._floor = floor
        self._waiting: list[tuple[int, int, int, asyncio.Future[Lane]]] = []
        self._chosen: Lane | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._watched: set[_Watch] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._sent = 0
        self.hedged = 0
        floor.join(self)

    async def send(
        self, request: Request, *, again: bool = False, about_to: Callable[[], None] | None = None
    ) -> Completion:
        """Answer one request.

        Args:
            request: what to ask.
            again: whether it was tried before; such calls go first.
            about_to: called when the call is about to be sent; may raise to stop it.

        Raises:
            EngineError: as `Engine.complete`.
        """
        tokens = estimate(request)
        lane = await self._enter(tokens, again)
        try:
            if about_to is not None:
                about_to()
            self._sent += 1
            return await self._ask(lane, request, tokens, hedge=True)
        finally:
            lane.leave()
            self._floor.leave()

    async def _ask(self, lane: Lane, request: Request, tokens: int, *, hedge: bool) -> Completion:
        began = self._clock()
        watch: _Watch | None = None
        failed: TransientEngineError | None = None
        try:
            async with asyncio.timeout(None) as deadline:
                if lane.traits.timeout_s is not None:
                    start = (lambda: self._once_more(request, tokens)) if hedge else None
                    watch = self._watch(_Watch(lane, request, began, deadline, start))
                completion = await lane.place.complete(request)
        except TimeoutError:
            failed = TransientEngineError(
                f"No answer within {self._clock() - began:.0f} s", kind="timeout"
            )
        except TransientEngineError as error:
            failed = error
        else:
            lane.answered(request, self._clock() - began, tokens, completion.usage)
            return completion
        finally:
            if watch is not None:
                self._watched.discard(watch)
                watch.settle(keep=failed is not None)
        lane.failed(failed, self._clock())
        if watch is not None and (other := await watch.result()) is not None:
            return other
        raise failed

    def _watch(self, watch: _Watch) -> _Watch:
        self._watched.add(watch)
        due = watch.due()
        if self._sweep is None:
            self._sweep_at(min(due, self._clock() + _LOOK_EVERY_S))
        elif due < self._sweep.when():
            self._sweep_at(due)
        return watch

    def _sweep_at(self, when: float) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._sweep = asyncio.get_running_loop().call_at(when, self._look)

    def _look(self) -> None:
        """Look at all calls under way: one timer for all costs less than two for each."""
        self._sweep = None
        now = self._clock()
        for watch in list(self._watched):
            watch.look(now)
        if self._watched:
            soonest = min(watch.due() for watch in self._watched)
            self._sweep_at(now + min(max(soonest - now, _SHORTEST_PAUSE_S), _LOOK_EVERY_S))

    def _once_more(self, request: Request, tokens: int) -> Coroutine[Any, Any, Completion] | None:
        """A second attempt, unless there were too many of them."""
        if self.hedged >= 2 + _HEDGED_SHARE * self._sent:
            return None
        self.hedged += 1
        return self._again(request, tokens)

    async def _again(self, request: Request, tokens: int) -> Completion:
        """Ask in a place of its own, before all others; never hedged again."""
        lane = await self._enter(tokens, again=True)
        try:
            return await self._ask(lane, request, tokens, hedge=False)
        finally:
            lane.leave()
            self._floor.leave()

    async def _enter(self, tokens: int, again: bool) -> Lane:
        """Wait for a place, and an address with room."""
        floor = self._floor
        if floor.free > 0 and not self._waiting and (lane := self._choose(tokens)) is not None:
            floor.free -= 1
            lane.enter(tokens)
            return lane
        future: asyncio.Future[Lane] = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (not again, floor.number(), tokens, future))
        floor.fill()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                future.result().leave()
                floor.leave()
            raise

    def first(self) -> tuple[int, int] | None:
        """See `cai.engines.flow.floor.Line`."""
        while self._waiting and self._waiting[0][3].done():
            heappop(self._waiting)
        if not self._waiting:
            return None
        again, number, tokens, _ = self._waiting[0]
        self._chosen = self._choose(tokens)
        return None if self._chosen is None else (again, number)

    def admit(self) -> None:
        """See `cai.engines.flow.floor.Line`."""
        _, _, tokens, future = heappop(self._waiting)
        lane = self._chosen
        assert lane is not None
        lane.enter(tokens)
        future.set_result(lane)

    def _choose(self, tokens: int) -> Lane | None:
        """The emptiest address that takes a call now; sets an alarm for the next that will."""
        now = self._clock()
        best: Lane | None = None
        soonest: float | None = None
        for lane in self._lanes:
            wait = lane.wait(tokens, now)
            if wait == 0.0:
                if best is None or _load(lane) < _load(best):
                    best = lane
            elif wait is not None and (soonest is None or wait < soonest):
                soonest = wait
        if best is None and soonest is not None:
            self._wake_after(soonest)
        return best

    def _wake_after(self, seconds: float) -> None:
        loop: Any = asyncio.get_running_loop()
        when = loop.time() + seconds + 1e-3
        if self._alarm is not None and not self._alarm.cancelled() and self._alarm.when() <= when:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = loop.call_at(when, self._alarmed)

    def _alarmed(self) -> None:
        self._alarm = None
        self._floor.fill()

    def close(self) -> None:
        """Set no more alarms."""
        for alarm in (self._alarm, self._sweep):
            if alarm is not None:
                alarm.cancel()


class _Watch:
    """Watches a call under way: gives it up in time, and asks a second time when it is late.

    What counts as late is looked up again and again: when the first calls of a run are sent, nobody
    knows yet how long such calls take, and one of them that hangs must not wait for the longest
    time that is allowed.
    """

    def __init__(
        self,
        lane: Lane,
        request: Request,
        began: float,
        deadline: asyncio.Timeout,
        start: Callable[[], Coroutine[Any, Any, Completion] | None] | None,
    ) -> None:
        self._lane = lane
        self._request = request
        self._began = began
        self._deadline = deadline
        self._start = start
        self._task: asyncio.Task[Completion] | None = None
        self._first_is_over = False

    def due(self) -> float:
        """The time at which there may be something to do, on the clock of the event loop."""
        limit = self._lane.give_up_after(self._request)
        late = self._lane.ask_again_after(self._request) if self._start else None
        return self._began + min(s for s in (limit, late, float("inf")) if s is not None)

    def look(self, now: float) -> None:
        """Do what there is to do."""
        if self._first_is_over or self._deadline.expired():
            return
        elapsed = now - self._began
        limit = self._lane.give_up_after(self._request)
        if limit is not None and elapsed >= limit:
            self._deadline.reschedule(now)
            return
        late = self._lane.ask_again_after(self._request)
        if self._start is not None and late is not None and elapsed >= late:
            attempt, self._start = self._start(), None
            if attempt is not None:
                self._task = asyncio.ensure_future(attempt)
                self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Completion]) -> None:
        won = not task.cancelled() and task.exception() is None
        if won and not self._first_is_over and not self._deadline.expired():
            # The same way out as a time-out: the first attempt is cancelled and nothing else.
            self._deadline.reschedule(0.0)

    def settle(self, *, keep: bool) -> None:
        """The first attempt is over; only if it failed is the second still needed."""
        self._first_is_over = True
        if self._task is not None and not keep:
            self._task.cancel()

    async def result(self) -> Completion | None:
        """What the second attempt got, if it was made and got anything."""
        if self._task is None:
            return None
        try:
            return await self._task
        except EngineError:
            return None
        finally:
            self._task.cancel()


def _load(lane: Lane) -> float:
    return lane.window.in_flight / lane.window.size
