"""The web application: routes, and what an error looks like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cai.errors import StoreError
from cai.validation.review import api, pages
from cai.validation.review.dashboard import Dashboard
from cai.validation.review.security import Guard, guard

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope

    from cai.validation.review.run import Review

__all__ = ["create_app"]


class _Static(StaticFiles):
    """Files of the package. Browsers ask whether they changed, as they do with an upgrade."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def create_app(review: Review, hosts: frozenset[str]) -> Starlette:
    """The review of a run as a web application.

    Args:
        review: the run.
        hosts: names by which browsers may call the server.
    """
    item = "/api/items/{role}/{item_id}"
    app = Starlette(
        routes=[
            Route("/", pages.home),
            Route("/a/{key}", pages.link),
            Route("/label", pages.label),
            Route("/adjudicate", pages.adjudicate),
            Route("/guideline", pages.guideline),
            Route("/dashboard", pages.dashboard),
            Route("/api/queue", api.queue),
            Route(item, api.item),
            Route(f"{item}/text/{{part}}", api.text),
            Route("/api/dashboard", api.dashboard),
            Route("/api/actions", api.act, methods=["POST"]),
            Route("/api/sign-in", api.enter, methods=["POST"]),
            Route("/api/sign-out", api.leave, methods=["POST"]),
            Mount("/static", _Static(directory=Path(__file__).with_name("static"))),
        ],
        middleware=[Middleware(Guard, hosts=hosts, open_to_all=review.open_to_all)],
        exception_handlers={HTTPException: _refused, StoreError: _not_stored, 500: _broken},
    )
    app.state.review = review
    app.state.dashboard = Dashboard(review)
    return app


def _answer(request: Request, status: int, text: str) -> Response:
    if request.url.path.startswith(("/api/", "/static/")):
        return JSONResponse({"error": text}, status)
    return pages.error_page(request, status, text)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = "There is no such page." if error.detail == "Not Found" else error.detail
    return _answer(request, error.status_code, text)


async def _not_stored(request: Request, error: Exception) -> Response:
    # Browsers keep what could not be stored, and send it again.
    return _answer(request, 503, str(error))


async def _broken(request: Request, error: Exception) -> Response:
    # Starlette answers these outside of all middleware.
    answer = JSONResponse({"error": "The server has made a mistake; its log says which."}, 500)
    guard(answer.headers)
    return answer
