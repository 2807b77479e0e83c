"""The engine that asks servers: any that speak the OpenAI protocol."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import orjson

from cai.engines.base import Traits
from cai.engines.remote.address import Address
from cai.engines.remote.body import chat_body
from cai.engines.remote.completions import read_text_reply, text_body
from cai.engines.remote.endpoint import Endpoint
from cai.engines.remote.failure import classify, error_of, refused
from cai.engines.remote.reply import read_reply
from cai.errors import FatalEngineError, TransientEngineError
from cai.records import Completion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.records import Request

__all__ = ["OpenAIEngine"]


class OpenAIEngine:
    """Answers requests through OpenAI-compatible servers (OpenAI, vLLM, llama.cpp, Ollama …).

    Implements `cai.engines.base.Engine`. Errors are classified here and retried by the caller.
    The key is read from the environment by `start`, and appears in no message.

    Args:
        model: name of the model at the server.
        base_url: address of the API, up to and with `/v1`; when absent, `OPENAI_BASE_URL` from the
            environment, or OpenAI itself. Several addresses must serve the same model.
        api_key_env: name of the environment variable that holds the key.
        timeout_s: most seconds that one answer may take.
        requests_per_minute: most requests per minute to each address.
        tokens_per_minute: most tokens per minute at each address.
        billing: whether calls cost money; `auto` takes those to this machine as free.
        api: protocol of the server.

    Raises:
        ConfigError: `base_url` is no address of a server.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | Sequence[str] | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        timeout_s: float = 120.0,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        billing: Literal["auto", "paid", "free"] = "auto",
        api: Literal["chat", "completions"] = "chat",
    ) -> None:
        # The protocol decides the answers: a conversation written out as text is another request.
        self.fingerprint = f"openai/{model}" if api == "chat" else f"openai-completions/{model}"
        self.model = model
        self.api = api
        self._api_key_env = api_key_env
        given = base_url or os.environ.get("OPENAI_BASE_URL") or None
        urls = (given,) if given is None or isinstance(given, str) else tuple(given)
        traits = Traits(True, timeout_s, requests_per_minute, tokens_per_minute)
        self._places = tuple(
            _Place(self, address, replace(traits, free=_is_free(address, billing)))
            for address in map(Address.of, dict.fromkeys(urls))
        )
        self._next = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = asyncio.Lock()

    @property
    def endpoints(self) -> tuple[_Place, ...]:
        """The addresses that calls can be sent to."""
        return self._places

    @property
    def running(self) -> bool:
        """Whether connections are open that belong to the running event loop."""
        return self._loop is asyncio.get_running_loop()

    def __repr__(self) -> str:
        shown = [place.address.shown for place in self._places]
        return f"OpenAIEngine({self.model!r}, base_url={shown[0] if len(shown) == 1 else shown!r})"

    async def start(self) -> None:
        """Reach the servers, and check that they know the model where they list their models.

        Started again in another event loop, the engine opens connections that belong to that loop.

        Raises:
            FatalEngineError: no key, no server at an address, or no such model.
        """
        async with self._starting:
            if self.running:
                return
            key = self._read_key()
            try:
                await asyncio.gather(*(place.open(key) for place in self._places))
            except BaseException:
                await self._close()
                raise
            self._loop = asyncio.get_running_loop()

    async def complete(self, request: Request) -> Completion:
        """Answer one request at one of the addresses, in turn.

        Raises:
            TransientEngineError: time-out, lost connection, 408, 409, 429 or 5xx.
            RowEngineError: the server rejects this request, or its reply is unusable.
            FatalEngineError: bad key, unknown model, no credit, or the engine is not started.
        """
        self._next += 1
        place = self._places[self._next % len(self._places)]
        limit = place.traits.timeout_s
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                return await place.complete(request)
        raise TransientEngineError(
            f"The server did not answer (it took longer than {limit:g} s)", kind="timeout"
        )

    async def close(self) -> None:
        """Close the connections."""
        # Connections belong to an event loop. Those of another loop cannot be closed from this one.
        if self._loop is asyncio.get_running_loop():
            await self._close()
        self._loop = None

    async def _close(self) -> None:
        for place in self._places:
            await place.close()

    def _read_key(self) -> str | None:
        name = self._api_key_env
        key = os.environ.get(name, "").strip()
        away = next((p.address.shown for p in self._places if not p.address.loopback), None)
        if not key and away is None:
            return None
        if not key:
            raise FatalEngineError(
                f"{away} needs a key, and the environment variable {name} is not set. "
                f"Run `export {name}=…`, or name another variable in api_key_env. A server on "
                "this machine (base_url: http://localhost:8000/v1) needs none; for one elsewhere "
                f"that takes no key, set {name} to any word"
            )
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise FatalEngineError(
                f"The environment variable {name} holds characters that no key has; it must be "
                "printable ASCII without spaces. Copy the key again"
            )
        return key


class _Place(Endpoint):
    """One address of an engine: what a call is sent to."""

    def __init__(self, engine: OpenAIEngine, address: Address, traits: Traits) -> None:
        super().__init__(address, engine.model, traits)
        self._engine = engine

    async def complete(self, request: Request) -> Completion:
        """Answer one request, without a time limit; errors as `OpenAIEngine.complete`."""
        if not self._engine.running:
            raise FatalEngineError("the engine is not running: `await engine.start()` first")
        model, at_openai = self._engine.model, self.address.url is None
        chat = self._engine.api == "chat"
        write = chat_body if chat else text_body
        body = orjson.dumps(write(request, model, at_openai=at_openai))
        path = "chat/completions" if chat else "completions"
        status, headers, content = await self.post(path, body)
        if 200 <= status < 300:
            read = read_reply if chat else read_text_reply
            return read(content, request, model, self.key)
        error = error_of(content)
        if 400 <= status < 500 and refused(error):
            return Completion("", "refused", model=model)
        raise classify(status, error, headers, self.key)


def _is_free(address: Address, billing: Literal["auto", "paid", "free"]) -> bool:
    return address.loopback if billing == "auto" else billing == "free"
