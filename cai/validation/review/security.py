"""What a request must be like before anything looks at it, and what every answer says.

The server holds texts that models wrote and labels that people rely on. A page on another site
must neither read nor change them through a visitor's browser.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, TypeVar

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from cai.errors import UsageError
from cai.yaml import parse_model

if TYPE_CHECKING:
    from pydantic import BaseModel
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["BODY", "CUSTOM_HEADER", "Guard", "guard", "host_names", "is_loopback", "read_form"]

BODY = 64 * 1024
"""Most bytes of a request's body."""

CUSTOM_HEADER = "x-cai-review"
"""A page of another site can send it only after asking, and is never allowed to."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_EVERYWHERE = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_Form = TypeVar("_Form", bound="BaseModel")


def is_loopback(host: str) -> bool:
    """Whether only users of this machine reach a server at this address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_names(host: str) -> frozenset[str]:
    """Names by which browsers may call a server that listens at `host`."""
    if is_loopback(host):
        return _LOOPBACK | {host}
    names = {host, socket.gethostname(), socket.getfqdn()}
    return _LOOPBACK | {name.lower() for name in names}


def guard(headers: MutableHeaders) -> None:
    """Add what every answer says."""
    headers.update(_EVERYWHERE)
    headers.setdefault("Cache-Control", "no-store")


class Guard:
    """Refuses requests by the wrong name or from other sites, and adds headers to all answers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], open_to_all: bool) -> None:
        self._app = app
        self._hosts = hosts
        # Addresses cannot be rebound by a name server. On loopback there is no use for others.
        self._any_address = not open_to_all

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                guard(MutableHeaders(scope=message))
            await send(message)

        problem = self._problem(scope["method"], Headers(scope=scope))
        if problem:
            status, text = problem
            answer = JSONResponse({"error": text}, status)
            await answer(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)

    def _problem(self, method: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._known(host):
            return 421, "This server does not answer to that host name."
        if method in ("GET", "HEAD"):
            return None
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        own = origin in (f"http://{host}", f"https://{host}") if origin else site is not None
        if not own or (site or "same-origin") != "same-origin":
            return 403, "Requests from other sites are refused."
        if headers.get(CUSTOM_HEADER) != "1":
            return 403, f"The header {CUSTOM_HEADER} is missing."
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return 415, "Send JSON."
        return None

    def _known(self, host: str) -> bool:
        name = host.lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        elif name.count(":") == 1:
            name = name.partition(":")[0]
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self._any_address


async def read_form(request: Request, kind: type[_Form]) -> _Form:
    """The body of a request as a form.

    Raises:
        HTTPException: it is too long, no JSON, or not what the form allows.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY:
            raise HTTPException(413, f"A request may have at most {BODY // 1024} KB.")
    try:
        data = orjson.loads(bytes(body))
    except ValueError as error:
        raise HTTPException(400, "The body is not valid JSON.") from error
    try:
        return parse_model(kind, data, "The request", UsageError)
    except UsageError as error:
        raise HTTPException(422, str(error)) from error
