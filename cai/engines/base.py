"""The one contract that every model stands behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from cai.records import Completion, Request

__all__ = ["Engine"]


@runtime_checkable
class Engine(Protocol):
    """Something that answers requests, many at a time, within one event loop.

    The order of use is `start`, then any number of concurrent `complete`, then `close`.
    `start` and `close` may be called more than once: one engine often serves several roles.
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
