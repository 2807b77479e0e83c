"""Who is asking: cookies, personal links, names and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from cai.errors import UsageError
from cai.validation.review.keys import same

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cai.validation.records import Annotator, Role
    from cai.validation.review.forms import SignInForm
    from cai.validation.review.run import Review

__all__ = ["TOKEN_HEADER", "admit", "allow_look", "remember", "require", "sign_in", "visitor"]

TOKEN_HEADER = "x-cai-token"

_THIRTY_DAYS = 30 * 86_400


def visitor(request: Request) -> Annotator | None:
    """The annotator who is signed in, if any."""
    review: Review = request.app.state.review
    cookie = request.cookies.get(review.keys.cookie_name, "")
    return review.keys.signed_in(cookie, review.peers()) if cookie else None


def require(request: Request, role: Role = "label") -> Annotator:
    """The annotator who is signed in, with the right to act in a role.

    Raises:
        HTTPException: nobody is signed in (401), or not someone with that right (403).
    """
    annotator = visitor(request)
    if annotator is None:
        raise HTTPException(401, "You are signed out. Open your personal link, or sign in again.")
    review: Review = request.app.state.review
    if role == "adjudicate" and not review.is_adjudicator(annotator):
        raise HTTPException(
            403, "Only adjudicators settle disputes. The person who started the server names them."
        )
    return annotator


def allow_look(request: Request) -> None:
    """Let through who may see the sign-in page and the dashboard.

    Raises:
        HTTPException: the server can be reached by others, and neither token nor cookie is given.
    """
    review: Review = request.app.state.review
    given = request.headers.get(TOKEN_HEADER) or request.query_params.get("token", "")
    if not (review.open_to_all or same(review.keys.token, given) or visitor(request)):
        raise HTTPException(
            403,
            "This address needs a token or a personal link. The person who started the server has "
            "both.",
        )


def sign_in(review: Review, form: SignInForm) -> Annotator:
    """The annotator of a name, who is added if need be.

    Raises:
        HTTPException: the token is wrong, the name cannot be used, or is taken by someone who has
            a personal link.
    """
    if not review.open_to_all and not same(review.keys.token, form.token):
        raise HTTPException(403, "The token is missing or wrong. Open the whole address again.")
    known = review.labels.annotators()
    try:
        annotator = review.labels.add_annotator(form.name, review.kind)
    except UsageError as error:
        raise HTTPException(422, str(error)) from error
    # Asked afterwards: names that look alike may be the same.
    if annotator in known and not review.open_to_all:
        raise HTTPException(
            403, "That name is taken. If it is yours, open your personal link instead."
        )
    return annotator


def admit(review: Review, key: str) -> Annotator:
    """The annotator of a personal link.

    Raises:
        HTTPException: the link is nobody's, or that of another kind of annotator.
    """
    annotator = review.keys.linked(key, review.labels.annotators())
    if annotator is None:
        raise HTTPException(403, "This personal link is not valid for this run.")
    if annotator.kind != review.kind:
        raise HTTPException(
            403,
            f"This link is for {annotator.kind} annotators, and the server was started for "
            f"{review.kind} ones. Start it with --kind {annotator.kind}.",
        )
    return annotator


def remember(request: Request, response: Response, annotator: Annotator) -> None:
    """Sign the annotator in on this browser."""
    keys = request.app.state.review.keys
    response.set_cookie(
        keys.cookie_name,
        keys.cookie(annotator),
        max_age=_THIRTY_DAYS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
