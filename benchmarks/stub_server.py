"""A server with no model behind it that speaks the OpenAI protocol, for measuring a client.

Every request is answered after a fixed latency with text that depends on its body alone. A request
for at most eight tokens is taken for a judge's question and answered with a label and
log-probabilities. A share of the requests can be made to fail; which ones is a hash of seed, body
and number of the attempt, so that two clients meet the same faults in whatever order they ask.

    python benchmarks/stub_server.py --port 8399 --latency 0.2 --p429 0.05
    curl localhost:8399/stats                          # the counters
    curl -X POST 'localhost:8399/reset?p500=0.02'      # zero the counters, turn the knobs
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import importlib
import json
import resource
import sys
import time
from bisect import bisect_right
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import orjson
from aiohttp import web
from stub_replies import reply

__all__ = ["Counters", "Knobs", "Stub", "serve"]


@dataclass(frozen=True)
class Knobs:
    """What the stub does; every field can be set with /reset."""

    latency: float = 0.2
    """Seconds that an answer takes."""
    p400: float = 0.0
    """Share of the bodies that are always rejected."""
    p429: float = 0.0
    p500: float = 0.0
    phang: float = 0.0
    """Share of the requests that are never answered."""
    pcut: float = 0.0
    """Share of the answers that break off in the middle."""
    pbad: float = 0.0
    """Share of the answers that are no JSON."""
    retry_after: float = 1.0
    """Seconds in the Retry-After of a 429; negative for none."""
    hang_s: float = 3600.0
    models: str = "stub"
    """Names in its list of models, with commas."""
    seed: int = 0


@dataclass
class Counters:
    """What the stub saw since the last reset."""

    received: int = 0
    answered: int = 0
    asked_again: int = 0
    """Requests that came after their body had been answered."""
    answered_again: int = 0
    """Answers to bodies that had been answered: what a user would pay for twice."""
    client_gone: int = 0
    """Answers that nobody waited for any more."""
    faults: dict[str, int] = field(default_factory=dict)
    peak: int = 0
    attempts: dict[bytes, int] = field(default_factory=dict)
    answers: dict[bytes, int] = field(default_factory=dict)
    answered_at: list[float] = field(default_factory=list)
    """Seconds on the clock that all processes of a machine share."""
    began: float | None = None
    ended: float = 0.0
    in_flight: int = 0
    _area: float = 0.0
    _marked: float = 0.0

    def step(self, change: int) -> None:
        """Count a request in or out of work."""
        now = time.monotonic()
        if self.began is None:
            self.began = now
        else:
            self._area += self.in_flight * (now - self._marked)
        self._marked = self.ended = now
        self.in_flight += change
        self.peak = max(self.peak, self.in_flight)

    def shown(self, since: float = 0.0) -> dict[str, Any]:
        """The counters as plain data. Times are in seconds; `since` is a monotonic one."""
        span = self.ended - self.began if self.began is not None else 0.0
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "received": self.received,
            "answered": self.answered,
            "answered_since": len(self.answered_at) - bisect_right(self.answered_at, since),
            "unique_bodies": len(self.attempts),
            "unique_answered": len(self.answers),
            "asked_again": self.asked_again,
            "answered_again": self.answered_again,
            "client_gone": self.client_gone,
            "faults": self.faults,
            "in_flight": self.in_flight,
            "peak_concurrency": self.peak,
            "mean_concurrency": self._area / span if span else 0.0,
            "span_s": span,
            "cpu_s": used.ru_utime + used.ru_stime,
        }


class Stub:
    """The server's state and its one handler."""

    def __init__(self, knobs: Knobs | None = None) -> None:
        self.knobs = knobs or Knobs()
        self.counters = Counters()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request."""
        path = request.path
        if path in ("/v1/chat/completions", "/v1/completions"):
            return await self._complete(request, chat="chat" in path)
        if path == "/v1/models":
            known = [{"id": name} for name in self.knobs.models.split(",")]
            return web.json_response({"object": "list", "data": known})
        if path == "/stats":
            since = float(request.query.get("since", 0.0))
            return web.json_response(self.counters.shown(since))
        if path == "/reset":
            self.reset(**dict(request.query))
            return web.json_response(asdict(self.knobs))
        return _error(404, f"no such path: {path}")

    def reset(self, **knobs: str | float) -> None:
        """Zero the counters and set the knobs that are named."""
        before = asdict(self.knobs)
        changed = {name: type(before[name])(value) for name, value in knobs.items()}
        self.knobs = replace(self.knobs, **changed)
        self.counters = Counters()

    async def _complete(self, request: web.BaseRequest, *, chat: bool) -> web.StreamResponse:
        body = await request.read()
        counters = self.counters
        counters.received += 1
        counters.step(+1)
        try:
            digest = hashlib.sha256(body).digest()
            attempt = counters.attempts.get(digest, 0)
            counters.attempts[digest] = attempt + 1
            counters.asked_again += digest in counters.answers
            fault = self._fault(digest, attempt)
            if fault:
                counters.faults[fault] = counters.faults.get(fault, 0) + 1
            if fault in _REFUSED:
                return self._refuse(fault)
            if fault == "hang":
                return await self._hang(request, counters)
            await asyncio.sleep(self.knobs.latency)
            answer = orjson.dumps(reply(orjson.loads(body), digest, chat=chat))
            if fault == "cut":
                return await _cut(request, answer)
            if fault == "bad":
                return web.Response(body=b"<p>upstream" + answer, content_type="application/json")
            if _gone(request):
                counters.client_gone += 1
            else:
                counters.answered += 1
                counters.answered_at.append(time.monotonic())
                counters.answered_again += digest in counters.answers
                counters.answers[digest] = counters.answers.get(digest, 0) + 1
            return web.Response(body=answer, content_type="application/json")
        finally:
            counters.step(-1)

    def _fault(self, digest: bytes, attempt: int) -> str:
        knobs = self.knobs
        if _draw(digest, f"{knobs.seed}") < knobs.p400:
            return "400"
        drawn = _draw(digest, f"{knobs.seed}/{attempt}")
        for name in ("429", "500", "hang", "cut", "bad"):
            drawn -= getattr(knobs, f"p{name}")
            if drawn < 0:
                return name
        return ""

    def _refuse(self, fault: str) -> web.Response:
        response = _error(int(fault), _REFUSED[fault])
        if fault == "429" and self.knobs.retry_after >= 0:
            response.headers["Retry-After"] = f"{self.knobs.retry_after:g}"
        return response

    async def _hang(self, request: web.BaseRequest, counters: Counters) -> web.Response:
        # A hung request is no work: it would flatter the concurrency.
        counters.step(-1)
        until = time.monotonic() + self.knobs.hang_s
        while not _gone(request) and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        counters.step(+1)
        return _error(504, "hung")


_REFUSED = {"400": "rejected for good", "429": "too many requests", "500": "something broke"}


def _draw(digest: bytes, salt: str) -> float:
    drawn = hashlib.sha256(digest + salt.encode()).digest()
    return int.from_bytes(drawn[:8], "big") / 2**64


def _gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "stub"}}, status=status)


async def _cut(request: web.BaseRequest, answer: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(answer))})
    response.content_type = "application/json"
    with suppress(ConnectionError):
        await response.prepare(request)
        await response.write(answer[: len(answer) // 2])
    # Without a pause the half that was written would be thrown away with the connection.
    await asyncio.sleep(0)
    if request.transport is not None:
        request.transport.abort()
    return response


async def serve(stub: Stub, port: int = 0) -> tuple[web.ServerRunner, int]:
    """Start to serve on this machine.

    Returns:
        The runner, to be cleaned up, and the port, which is a free one for `port` 0.
    """
    runner = web.ServerRunner(web.Server(stub.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=4096)
    await site.start()
    return runner, runner.addresses[0][1]


async def _run(stub: Stub, port: int, *, with_parent: bool) -> None:
    runner, port = await serve(stub, port)
    print(json.dumps({"port": port}), flush=True)
    gc.freeze()
    forever = asyncio.Event()
    if with_parent:
        asyncio.get_running_loop().add_reader(sys.stdin, forever.set)
    try:
        await forever.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Serve until interrupted."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--port", type=int, default=0, help="0 takes a free one and prints it")
    options.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    for knob in fields(Knobs):
        options.add_argument(
            f"--{knob.name.replace('_', '-')}", type=type(knob.default), default=knob.default
        )
    given = vars(options.parse_args())
    port, with_parent = given.pop("port"), given.pop("with_parent")
    with suppress(ImportError):
        importlib.import_module("uvloop").install()
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(Stub(Knobs(**given)), port, with_parent=with_parent))


if __name__ == "__main__":
    main()
