"""What a browser may send: every key is known, and every value is bounded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cai.validation.records import Role  # noqa: TC001 - read at run time, by pydantic
from cai.validation.review.showing import Shown  # noqa: TC001

__all__ = ["NOTE", "ActionForm", "ActionsForm", "SignInForm", "SignOutForm"]

NOTE = 4000
"""Most characters of a note."""

_DAY = 86_400.0

_Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ActionForm(_Form):
    """One answer, or with `choice` null one that is taken back."""

    action_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
    item_id: _Id
    role: Role
    ticket: _Id
    choice: Shown | None
    confidence: Literal[1, 2, 3] | None = None
    principle_id: Annotated[str, Field(max_length=100)] = ""
    note: Annotated[str, Field(max_length=NOTE)] = ""
    flagged: bool = False
    a_refuses: bool | None = None
    b_refuses: bool | None = None
    seconds: Annotated[float, Field(ge=0, le=_DAY)] | None = None


class ActionsForm(_Form):
    """Answers in the order in which they were given."""

    actions: Annotated[list[ActionForm], Field(min_length=1, max_length=50)]


class SignInForm(_Form):
    """A name, and on a server that others can reach the token of its address."""

    name: Annotated[str, Field(max_length=200)]
    token: Annotated[str, Field(max_length=100)] = ""


class SignOutForm(_Form):
    """Nothing: that it was sent is all."""
