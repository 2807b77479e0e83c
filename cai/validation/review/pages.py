"""The pages, rendered on the server; what moves in them is in `static/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse

from cai.validation.review.forms import NOTE
from cai.validation.review.visitors import admit, allow_look, remember, require, visitor

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cai.validation.records import Annotator
    from cai.validation.review.run import Review

__all__ = ["adjudicate", "dashboard", "error_page", "guideline", "home", "label", "link"]


async def home(request: Request) -> Response:
    """Where people sign in; whoever is signed in is sent on."""
    annotator = visitor(request)
    if annotator is not None:
        return RedirectResponse(_start(request, annotator), 303)
    allow_look(request)
    return _page(request, "sign_in.html")


async def link(request: Request) -> Response:
    """A personal link: signs in, and leads on.

    It leads on by a page and not by a redirect. A browser that follows a link from a mail would
    not show a strict cookie to the page that it is redirected to.
    """
    annotator = admit(request.app.state.review, request.path_params["key"])
    response = _page(request, "link.html", go=_start(request, annotator), name=annotator.name)
    remember(request, response, annotator)
    return response


async def label(request: Request) -> Response:
    """Where pairs are labelled."""
    annotator = visitor(request)
    if annotator is None:
        return RedirectResponse("/", 303)
    return _page(request, "label.html", **_desk(request, annotator, "label"))


async def adjudicate(request: Request) -> Response:
    """Where disputes are settled."""
    if visitor(request) is None:
        return RedirectResponse("/", 303)
    annotator = require(request, "adjudicate")
    return _page(request, "label.html", **_desk(request, annotator, "adjudicate"))


async def guideline(request: Request) -> Response:
    """What annotators go by."""
    allow_look(request)
    return _page(request, "guideline.html")


async def dashboard(request: Request) -> Response:
    """How far everyone is."""
    allow_look(request)
    return _page(request, "dashboard.html")


def error_page(request: Request, status: int, text: str) -> Response:
    """A page that says what went wrong, and nothing of the address."""
    return _page(request, "error.html", status, text=text)


def _start(request: Request, annotator: Annotator) -> str:
    review: Review = request.app.state.review
    settles = review.is_adjudicator(annotator)
    only = settles and not review.ledger.of_annotator("label", annotator.id)
    return "/adjudicate" if only else "/label"


def _desk(request: Request, annotator: Annotator, role: str) -> dict[str, Any]:
    review: Review = request.app.state.review
    return {
        "role": role,
        "note_length": NOTE,
        "ask_refusals": review.plan.ask_refusals and role == "label",
        "personal_link": f"/a/{review.keys.link(annotator)}",
        "annotator_id": annotator.id,
    }


def _page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    review: Review = request.app.state.review
    annotator = visitor(request)
    shared = {
        "review": review,
        "constitution": review.constitution,
        "annotator": annotator,
        "adjudicator": annotator is not None and review.is_adjudicator(annotator),
        "path": "" if request.url.path.startswith("/a/") else request.url.path,
    }
    return HTMLResponse(_templates().get_template(template).render(shared | values), status)


@cache
def _templates() -> Environment:
    folder = Path(__file__).with_name("templates")
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
