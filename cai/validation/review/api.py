"""The JSON that the pages exchange with the server. GET changes nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from cai.validation.records import Action
from cai.validation.review import showing
from cai.validation.review.forms import ActionForm, ActionsForm, SignInForm, SignOutForm
from cai.validation.review.progress import progress
from cai.validation.review.queue import Turn
from cai.validation.review.security import read_form
from cai.validation.review.visitors import allow_look, remember, require, sign_in

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cai.validation.records import Annotator, Item, Role
    from cai.validation.review.run import Review

__all__ = ["act", "dashboard", "enter", "item", "leave", "queue", "text"]

_AHEAD = 12
"""Items that a browser is given at once, so that the next is there before it is asked for."""
_HISTORY = 100
"""Answers that a browser can take back after it was reloaded."""


async def queue(request: Request) -> Response:
    """What is next for an annotator, and what they answered before."""
    role = _role(request.query_params.get("role", "label"))
    annotator = require(request, role)
    review: Review = request.app.state.review
    work = review.work(annotator, role, more=request.query_params.get("more") == "1")
    return JSONResponse(
        {
            "items": [_shown(review, turn, annotator) for turn in work.waiting[:_AHEAD]],
            "history": _history(review, annotator, role),
            "progress": progress(review, annotator, role, work),
        }
    )


async def item(request: Request) -> Response:
    """One item, and what the annotator says of it."""
    annotator, turn = _asked(request)
    review: Review = request.app.state.review
    entry = review.ledger.of_annotator(turn.role, annotator.id).get(turn.item.item_id)
    swapped = showing.is_swapped(review.plan.seed, annotator.id, turn.item)
    said = showing.shown_choice(entry.annotation, swapped) if entry else None
    return JSONResponse({"item": _shown(review, turn, annotator), "annotation": said})


async def text(request: Request) -> Response:
    """The whole of a text that was sent in part."""
    annotator, turn = _asked(request)
    seed = request.app.state.review.plan.seed
    swapped = showing.is_swapped(seed, annotator.id, turn.item)
    found = showing.full_text(turn.item, request.path_params["part"], swapped)
    if found is None:
        raise HTTPException(404, "There is no such text.")
    return JSONResponse({"text": found})


async def act(request: Request) -> Response:
    """Store answers; the reply comes when they are durable. Sent again, they are stored once."""
    form = await read_form(request, ActionsForm)
    annotator = require(request)
    review: Review = request.app.state.review
    actions = [_action(request, annotator, one) for one in form.actions]
    await review.act(actions)
    role: Role = "adjudicate" if form.actions[-1].role == "adjudicate" else "label"
    work = review.work(annotator, role)
    feedback = {
        one.item_id: found
        for one, action in zip(form.actions, actions, strict=True)
        if one.choice is not None and (found := _feedback(review, action))
    }
    return JSONResponse({"progress": progress(review, annotator, role, work), "feedback": feedback})


async def enter(request: Request) -> Response:
    """Sign in by name."""
    form = await read_form(request, SignInForm)
    review: Review = request.app.state.review
    annotator = sign_in(review, form)
    response = JSONResponse({"go": "/label"})
    remember(request, response, annotator)
    return response


async def leave(request: Request) -> Response:
    """Sign out."""
    await read_form(request, SignOutForm)
    response = JSONResponse({"go": "/"})
    response.delete_cookie(request.app.state.review.keys.cookie_name, samesite="strict")
    return response


async def dashboard(request: Request) -> Response:
    """How far everyone is, and how far they agree."""
    allow_look(request)
    return JSONResponse(await request.app.state.dashboard.figures())


def _role(name: str) -> Role:
    if name not in ("label", "practice", "adjudicate"):
        raise HTTPException(404, "There is no such role.")
    return cast("Role", name)


def _asked(request: Request) -> tuple[Annotator, Turn]:
    """Who asks, and for which item."""
    role = _role(request.path_params["role"])
    annotator = require(request, role)
    review: Review = request.app.state.review
    found: Item | None = review.items.get(request.path_params["item_id"])
    if found is None or (found.known is not None) != (role == "practice"):
        raise HTTPException(404, "There is no such item in the current plan.")
    return annotator, Turn(role, found)


def _shown(review: Review, turn: Turn, annotator: Annotator) -> dict[str, Any]:
    shown = showing.showing(turn, annotator.id, review.plan.seed, review.keys)
    if turn.role == "adjudicate":
        peers = [peer.id for peer in review.peers()]
        shown["labels"] = review.disputes.opinions(turn.item, annotator.id, peers)
    return shown


def _history(review: Review, annotator: Annotator, role: Role) -> list[dict[str, str]]:
    """What can be taken back, the last answer at the end."""
    roles: tuple[Role, ...] = ("adjudicate",) if role == "adjudicate" else ("practice", "label")
    entries = [
        (entry.number, one, item_id)
        for one in roles
        for item_id, entry in review.ledger.of_annotator(one, annotator.id).items()
        if item_id in review.items
    ]
    return [{"role": one, "item_id": i} for _, one, i in sorted(entries)[-_HISTORY:]]


def _action(request: Request, annotator: Annotator, form: ActionForm) -> Action:
    """What is to be stored.

    The ticket tells which order was shown, also when another plan is current by now: an answer
    that was kept in a browser for days still means the answer that its annotator meant.
    """
    review: Review = request.app.state.review
    require(request, form.role)
    if form.principle_id and form.principle_id not in {p["id"] for p in review.principles}:
        raise HTTPException(422, "The constitution of this run has no such principle.")
    orders = {
        review.keys.ticket(form.role, annotator.id, form.item_id, swapped): swapped
        for swapped in (False, True)
    }
    if form.ticket not in orders:
        raise HTTPException(409, "This item was not shown to you. Reload the page.")
    found = review.items.get(form.item_id)
    if found is not None and found.single and form.choice in ("b", "tie"):
        raise HTTPException(422, "There is one answer here: it is good (a), or not (both_bad).")
    annotation = showing.to_annotation(form, orders[form.ticket])
    return Action(*(form.action_id, annotator.id, form.item_id, form.role), annotation, time.time())


def _feedback(review: Review, action: Action) -> dict[str, Any] | None:
    """After a practice item: what a careful annotator says, and why."""
    found = review.items.get(action.item_id)
    if action.role != "practice" or found is None or found.known is None:
        return None
    swapped = action.annotation.swapped
    answer = showing.shown_side(found.known, swapped)
    return {"right": action.annotation.choice == found.known, "answer": answer, "why": found.why}
