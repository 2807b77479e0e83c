"""The engine that asks a server: any that speaks the OpenAI chat completions protocol."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cai.engines.remote.failure import classify, clean, error_of, refused
from cai.engines.remote.reply import known_models, read_reply
from cai.errors import ConfigError, FatalEngineError, TransientEngineError
from cai.records import Completion

if TYPE_CHECKING:
    from httpx2 import Response
    from openai import AsyncOpenAI

    from cai.records import Request

__all__ = ["OpenAIEngine"]

_MOST_LOGPROBS = 20
# Some servers keep a seed in 32 bits with a sign.
_SEEDS = 2**31
_LONGEST_CHECK_S = 30.0
_NO_MODEL_LIST = (404, 405)


class OpenAIEngine:
    """Answers requests through an OpenAI-compatible server (OpenAI, vLLM, llama.cpp, Ollama …).

    Implements `cai.engines.base.Engine`. Errors are classified here and retried by the caller.
    The key is read from the environment by `start`, and appears in no message.

    Args:
        model: name of the model at the server.
        base_url: address of the API, up to and with `/v1`; when absent, `OPENAI_BASE_URL` from the
            environment, or OpenAI itself.
        api_key_env: name of the environment variable that holds the key.
        timeout_s: seconds that one answer may take.

    Raises:
        ConfigError: `base_url` is no address of a server.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        timeout_s: float = 120.0,
    ) -> None:
        self.fingerprint = f"openai/{model}"
        self._model = model
        self._base_url = base_url or os.environ.get("OPENAI_BASE_URL") or None
        self._shown_url, self._loopback = _inspect(self._base_url)
        self._api_key_env = api_key_env
        self._timeout_s = timeout_s
        self._key: str | None = None
        self._client: AsyncOpenAI | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = asyncio.Lock()

    def __repr__(self) -> str:
        return f"OpenAIEngine({self._model!r}, base_url={self._shown_url!r})"

    async def start(self) -> None:
        """Reach the server, and check that it knows the model where it lists its models.

        Started again in another event loop, the engine opens connections that belong to that loop.

        Raises:
            FatalEngineError: no key, no server at the address, or no such model.
        """
        async with self._starting:
            loop = asyncio.get_running_loop()
            if self._client is not None and self._loop is loop:
                return
            self._key = self._read_key()
            client = self._open()
            try:
                await self._check(client)
            except BaseException:
                await client.close()
                raise
            self._client, self._loop = client, loop

    async def complete(self, request: Request) -> Completion:
        """Answer one request.

        Raises:
            TransientEngineError: time-out, lost connection, 408, 409, 429 or 5xx.
            RowEngineError: the server rejects this request, or its reply is unusable.
            FatalEngineError: bad key, unknown model, no credit, or the engine is not started.
        """
        if self._client is None or self._loop is not asyncio.get_running_loop():
            raise FatalEngineError("the engine is not running: `await engine.start()` first")
        got = await self._send(self._client, "/chat/completions", self._body(request))
        if isinstance(got, TransientEngineError):
            raise got
        if got.is_success:
            return read_reply(got.content, request, self._model, self._key)
        error = error_of(got.content)
        if got.is_client_error and refused(error):
            return Completion("", "refused", model=self._model)
        raise classify(got.status_code, error, got.headers, self._key)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        # Connections belong to an event loop. Those of another loop cannot be closed from this one.
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.close()

    def _read_key(self) -> str | None:
        name = self._api_key_env
        key = os.environ.get(name, "").strip()
        if not key and self._loopback:
            return None
        if not key:
            raise FatalEngineError(
                f"{self._shown_url} needs a key, and the environment variable {name} is not set. "
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

    def _open(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI, DefaultAioHttpClient

        return AsyncOpenAI(
            api_key=self._key or "not-needed",
            base_url=self._base_url,
            timeout=self._timeout_s,
            max_retries=0,
            # A proxy of the environment cannot reach this machine.
            http_client=DefaultAioHttpClient(timeout=self._timeout_s, trust_env=not self._loopback),
        )

    async def _check(self, client: AsyncOpenAI) -> None:
        got = await self._send(client, "/models")
        if isinstance(got, TransientEngineError):
            raise FatalEngineError(
                f"Cannot reach {self._shown_url}: {got}. Start the server (for example `vllm serve "
                f"{self._model}` or `ollama serve`), or set base_url to where it runs "
                "(http://host:port/v1)"
            )
        if got.status_code in _NO_MODEL_LIST:
            return
        if got.is_error:
            failed = classify(got.status_code, error_of(got.content), got.headers, self._key)
            raise FatalEngineError(f"Cannot use {self._shown_url}: {failed}")
        known = known_models(got.content)
        if known is None or _names(self._model) & set(known):
            return
        near = get_close_matches(self._model, known, n=5, cutoff=0.3) or sorted(known)[:5]
        offer = clean(", ".join(near), self._key)
        raise FatalEngineError(
            f"{self._shown_url} has no model {self._model!r}. It lists {len(known)}"
            + (f", the nearest: {offer}. Set `model` to one of them" if offer else ": load one")
        )

    async def _send(
        self, client: AsyncOpenAI, path: str, body: dict[str, Any] | None = None
    ) -> Response | TransientEngineError:
        """POST a body, or GET without one; returns the response, whatever its status.

        A failure is returned too, so that nothing is raised inside `except`: the exceptions of the
        client hold headers and unscrubbed text, and would stay in every logged traceback as the
        context of our own.
        """
        import aiohttp
        import httpx2
        import openai

        limit = self._timeout_s if body else min(self._timeout_s, _LONGEST_CHECK_S)
        try:
            # The client's own limit starts again with every byte that arrives.
            async with asyncio.timeout(limit):
                if body is None:
                    return await client.get(path, cast_to=httpx2.Response)
                return await client.post(path, cast_to=httpx2.Response, body=body)
        except openai.APIStatusError as error:
            return error.response
        except TimeoutError:
            why = f"it took longer than {limit:g} s"
        except (openai.APIError, aiohttp.ClientError) as error:
            why = clean(str(error.__cause__ or "") or str(error), self._key)
        return TransientEngineError(f"The server did not answer ({why})")

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        }
        if self._base_url is None:
            # OpenAI's reasoning models reject max_tokens, and the other two even at their default.
            body["max_completion_tokens"] = sampling.max_tokens
            defaults = {"temperature": sampling.temperature, "top_p": sampling.top_p}
            body |= {name: value for name, value in defaults.items() if value != 1.0}
        else:
            # Servers of open models take defaults that are absent from the model's own config.
            body["max_tokens"] = sampling.max_tokens
            body["temperature"] = sampling.temperature
            body["top_p"] = sampling.top_p
        if sampling.seed is not None:
            body["seed"] = sampling.seed % _SEEDS
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if sampling.top_logprobs:
            body["logprobs"] = True
            body["top_logprobs"] = min(sampling.top_logprobs, _MOST_LOGPROBS)
        if request.response_schema is not None:
            schema = {"name": "answer", "schema": request.response_schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body


def _inspect(base_url: str | None) -> tuple[str, bool]:
    """The address as it may be shown, and whether it is on this machine."""
    if base_url is None:
        return "https://api.openai.com/v1", False
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise ConfigError(
            "base_url must look like http://host:port/v1, with http or https and without user "
            f"name or password; got {base_url.rpartition('@')[2]!r}. Put a key into the "
            "environment variable that api_key_env names"
        )
    shown_host = f"[{host}]" if ":" in host else host
    shown = f"{parts.scheme}://{shown_host}{f':{port}' if port else ''}{parts.path}"
    try:
        return shown, ipaddress.ip_address(host).is_loopback
    except ValueError:
        return shown, host == "localhost" or host.endswith(".localhost")


def _names(model: str) -> set[str]:
    """Names under which a list may show the model: Ollama adds `:latest`, Google `models/`."""
    return {model, f"{model}:latest", f"models/{model}"}
