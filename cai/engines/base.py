"""The one contract that every model stands behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.records import Completion, Request

__all__ = ["Answering", "Engine", "Traits", "answering"]


@dataclass(frozen=True, slots=True)
class Traits:
    """How calls to one address, or to a model in this process, may be sent.

    Args:
        free: calls cost nothing, so a late one may be asked a second time.
        timeout_s: most seconds that one answer may take; None for a model in this process.
        requests_per_minute: most requests per minute.
        tokens_per_minute: most tokens per minute, read and generated.
    """

    free: bool = True
    timeout_s: float | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None


class Answering(Protocol):
    """What a call is sent to: an address of a server, or an engine in this process."""

    async def complete(self, request: Request) -> Completion:
        """Answer one request; errors as `Engine.complete`. Whoever sends it limits its time."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Something that answers requests, many at a time, within one event loop.

    The order of use is `start`, then any number of concurrent `complete`, then `close`.
    `start` and `close` may be called more than once: one engine often serves several roles.

    An engine may also have `endpoints`, a sequence of `Answering` with `traits`, when calls can be
    sent to several addresses or must keep to limits; see `answering`.
    """

    @property
    def fingerprint(self) -> str:
        """Names the model, its weights and whatever else decides its answers; never a URL or key.

        Valid after `start`.
        """
        ...

    async def start(self) -> None:
        """Load the model or reach the server, before anything is paid for.

        Raises:
            FatalEngineError: nothing can be answered (unreachable, bad key, unknown model).
            MissingExtraError: the packages that the engine needs are not installed.
        """
        ...

    async def complete(self, request: Request) -> Completion:
        """Answer one request.

        Raises:
            TransientEngineError: asking again may help.
            RowEngineError: this request can never be answered.
            FatalEngineError: no request can be answered.
        """
        ...

    async def close(self) -> None:
        """Give back memory, sockets and threads."""
        ...


def answering(engine: Engine) -> list[tuple[Answering, Traits]]:
    """What calls to an engine can be sent to; the engine itself unless it has endpoints."""
    endpoints: Sequence[Answering] | None = getattr(engine, "endpoints", None)
    return [(place, getattr(place, "traits", Traits())) for place in endpoints or (engine,)]
