"""Asking through the memo: a request that was answered once is never asked again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from cai.engines.flow.lane import estimate
from cai.errors import FatalEngineError, RowEngineError, TransientEngineError
from cai.records import Usage

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from cai.engines.base import Engine
    from cai.engines.cost import Account, Price
    from cai.engines.flow import Dispatcher
    from cai.records import Completion, Request

__all__ = ["Answer", "Caller", "Memory", "Meter"]

_GIVE_UPS_BEFORE_STOP = 8
"""Calls in a row that exhausted their tries, until the engine counts as gone."""

_POSSIBLY_BILLED = frozenset({"lost", "timeout"})


class Memory(Protocol):
    """Where answers are kept; `cai.store.RunStore` is one."""

    def completion(self, request_id: str) -> Completion | None:
        """What was answered, or None."""
        ...

    async def remember(
        self,
        request_id: str,
        fingerprint: str,
        request: Request,
        completion: Completion,
        cost: float | None = None,
    ) -> None:
        """Keep an answer and what it cost in dollars; returns when it is durable."""
        ...

    async def lost(
        self,
        request_id: str,
        fingerprint: str,
        request: Request,
        usage: Usage,
        cost: float | None,
        reason: str,
    ) -> None:
        """Keep note of a paid attempt without an answer; returns when it is durable."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A completion and the id of the request that it answers."""

    request_id: str
    completion: Completion


@dataclass(slots=True)
class Meter:
    """Running counts of one start of a run, for progress and reports.

    `batches` are those that are waited for: by their id, requests that are through, and all.
    """

    asked: int = 0
    remembered: int = 0
    retried: int = 0
    lost: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    dollars: float = 0.0
    batches: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class _Call:
    """A request that is being answered, and those who wait for it."""

    waiting: list[asyncio.Future[Completion]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Caller:
    """One engine behind the memo, with retries.

    Two coroutines that ask the same at the same time share one call.
    """

    def __init__(
        self,
        engine: Engine,
        memory: Memory,
        meter: Meter,
        dispatcher: Dispatcher,
        *,
        account: Account,
        price: Price | None = None,
        paid: bool = False,
        attempts: int = 5,
    ) -> None:
        """Wrap a started engine.

        Args:
            engine: answers.
            memory: keeps answers.
            meter: counts.
            dispatcher: sends the calls of this engine.
            account: knows the budget.
            price: of the model; None when it is not known.
            paid: whether calls cost money.
            attempts: tries per call.
        """
        self.engine = engine
        self._memory = memory
        self._meter = meter
        self._dispatcher = dispatcher
        self._account = account
        self._price = price
        self._paid = paid
        self._attempts = attempts
        self._in_flight: dict[str, _Call] = {}
        self._on_wire: set[str] = set()
        self._storing: set[str] = set()
        self._given_up = 0

    async def ask(self, request: Request) -> Answer:
        """Answer from the memo, or ask the engine and remember.

        Raises:
            RowEngineError: the request cannot be answered, or not within the allowed tries.
            FatalEngineError: no request can be answered.
            BudgetError: the budget is used up.
            StoreError: the answer could not be stored.
        """
        request_id = request.identity(self.engine.fingerprint)
        call = self._in_flight.get(request_id)
        if call is None:
            known = self._memory.completion(request_id)
            if known is not None:
                self._meter.remembered += 1
                return Answer(request_id, known)
            call = self._in_flight[request_id] = _Call()
            call.task = asyncio.create_task(self._carry_out(request_id, request, call.waiting))
        # A task of its own, because a cancelled caller must not take the call away from others.
        waiter: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        call.waiting.append(waiter)
        return Answer(request_id, await waiter)

    async def close(self) -> None:
        """End the calls that are still under way; nobody waits for them any more.

        Answers that are there are stored. Paid calls that were sent are waited for, too: they will
        be billed. All others are given up.
        """
        waited_for = self._on_wire | self._storing if self._paid else self._storing
        calls = dict(self._in_flight)
        for request_id, call in calls.items():
            if request_id not in waited_for and call.task is not None:
                call.task.cancel()
        self._attempts = 1
        tasks = [call.task for call in calls.values() if call.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        for call in calls.values():
            # A task that was cancelled before it began has told nobody.
            for waiter in call.waiting:
                waiter.cancel()
        self._dispatcher.close()

    async def _carry_out(
        self, request_id: str, request: Request, waiting: list[asyncio.Future[Completion]]
    ) -> None:
        """Ask, and tell all who wait for the answer; some of them may have left."""
        try:
            completion = await self._ask_and_remember(request_id, request)
        except BaseException as error:
            self._settle(request_id)
            for waiter in waiting:
                if waiter.done():
                    continue
                if isinstance(error, asyncio.CancelledError):
                    waiter.cancel()
                else:
                    waiter.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._settle(request_id)
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(completion)

    def _settle(self, request_id: str) -> None:
        del self._in_flight[request_id]
        self._on_wire.discard(request_id)
        self._storing.discard(request_id)

    async def _ask_and_remember(self, request_id: str, request: Request) -> Completion:
        try:
            completion = await self._once(request_id, request)
        except TransientEngineError as error:
            completion = await self._again(request_id, request, error)
        self._given_up = 0
        self._storing.add(request_id)
        completion = _storable(completion)
        usage = completion.usage
        cost = self._account.cost(self._price, usage) if self._paid else 0.0
        self._account.add(usage, cost)
        meter = self._meter
        meter.asked += 1
        meter.prompt_tokens += usage.prompt_tokens
        meter.completion_tokens += usage.completion_tokens
        meter.cached_tokens += usage.cached_tokens
        meter.dollars += cost or 0.0
        await self._memory.remember(request_id, self.engine.fingerprint, request, completion, cost)
        return completion

    async def _once(self, request_id: str, request: Request, *, again: bool = False) -> Completion:
        """One attempt. What it leaves behind when it fails counts toward the budget."""

        def about_to() -> None:
            self._account.check()
            self._on_wire.add(request_id)

        try:
            return await self._dispatcher.send(request, again=again, about_to=about_to)
        except TransientEngineError as error:
            self._on_wire.discard(request_id)
            if self._paid and error.kind in _POSSIBLY_BILLED:
                await self._note_lost(request_id, request, error.kind)
            raise

    async def _note_lost(self, request_id: str, request: Request, reason: str) -> None:
        longest = request.sampling.max_tokens
        usage = Usage(estimate(request) - longest, longest)
        cost = self._account.cost(self._price, usage)
        self._account.add(usage, cost)
        self._meter.lost += 1
        self._meter.dollars += cost or 0.0
        await self._memory.lost(request_id, self.engine.fingerprint, request, usage, cost, reason)

    async def _again(
        self, request_id: str, request: Request, failed: TransientEngineError
    ) -> Completion:
        """Try again after a first failure, until the tries are used up."""
        from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

        first: list[TransientEngineError] = [failed]

        async def attempt() -> Completion:
            if first:
                raise first.pop()
            self._meter.retried += 1
            return await self._once(request_id, request, again=True)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TransientEngineError),
            stop=lambda state: stop_after_attempt(self._attempts)(state),
            wait=_wait,
            reraise=True,
        )
        try:
            completion: Completion = await retrying(attempt)
        except TransientEngineError as error:
            self._given_up += 1
            if self._given_up >= _GIVE_UPS_BEFORE_STOP:
                raise FatalEngineError(
                    f"The model did not answer {self._given_up} calls in a row, each tried "
                    f"{self._attempts} times. Last error: {error} Check the server, then start "
                    "the same command again: what was answered is kept."
                ) from error
            raise RowEngineError(f"Gave up after {self._attempts} tries: {error}") from error
        return completion


def _storable(completion: Completion) -> Completion:
    """Replace lone surrogates, which no file format can hold, as a server's JSON may have them."""
    text = _well_formed(completion.text)
    tokens = [a.token for a in completion.first_logprobs]
    mended = [_well_formed(token) for token in tokens]
    if text == completion.text and mended == tokens:
        return completion
    alternatives = tuple(
        replace(alternative, token=token)
        for alternative, token in zip(completion.first_logprobs, mended, strict=True)
    )
    return replace(completion, text=text, first_logprobs=alternatives)


def _well_formed(text: str) -> str:
    try:
        # The usual case, twenty times faster than the way round.
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _wait(state: RetryCallState) -> float:
    """Seconds to wait: what the server asked for, else exponential with jitter, up to a minute."""
    from tenacity import wait_random_exponential

    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, TransientEngineError):
        if error.retry_after is not None:
            return min(error.retry_after, 300.0)
        if error.kind == "timeout":
            # The wait is behind us.
            return 0.0
    return wait_random_exponential(multiplier=0.5, max=60)(state)
