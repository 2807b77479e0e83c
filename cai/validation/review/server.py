"""Serving a review until Ctrl-C."""

from __future__ import annotations

import errno
import signal
import socket
from typing import TYPE_CHECKING, NoReturn

import uvicorn

from cai.errors import UsageError
from cai.validation.review.app import create_app
from cai.validation.review.security import host_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from cai.validation.review.run import Review

__all__ = ["ReadyServer", "address", "listen", "serve"]

_PATIENCE_S = 3


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address; port 0 takes any that is free.

    Raises:
        UsageError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"The port {port} is taken. Choose another with --port, or 0 for any."
            ) from error
        reason = error.strerror or error
        raise UsageError(f"Cannot listen at {host}, port {port}: {reason}.") from error


def address(host: str, listening: socket.socket) -> str:
    """Where a browser finds the server."""
    port = listening.getsockname()[1]
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def serve(review: Review, host: str, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until Ctrl-C, SIGTERM or a closed terminal.

    The access log stays off: it would hold personal links and tokens.

    Args:
        review: the run.
        host: where the server listens.
        listening: from `listen`.
        ready: called when the server can be asked, and stopped.
    """
    config = uvicorn.Config(
        create_app(review, host_names(host)),
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=_PATIENCE_S,
    )
    # uvicorn ends on a signal, puts these handlers back and raises the signal again.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        ReadyServer(config, ready).run(sockets=[listening])
    except KeyboardInterrupt:
        return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        listening.close()


class ReadyServer(uvicorn.Server):
    """Says when it can be asked. A signal that came before would find nothing to end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, take over the signals, and say so."""
        await super().startup(sockets)
        self.ready()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
