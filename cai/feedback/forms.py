"""Rows of feedback, as a deployment writes them: thumbs, edits and reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    model_validator,
)

from cai.constitution.cases import Said, Turn  # noqa: TC001 - pydantic reads it
from cai.constitution.principle import Model
from cai.evaluate.refusal.cases import Category, asked_schema, one_user_turn
from cai.records import Message, Prompt
from cai.wording import listed

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["FORMS", "Edit", "Feedback", "FeedbackRow", "Report", "Thumbs", "Who"]

Who = Annotated[str, Field(min_length=1, max_length=200)]
"""A name that a deployment gives to a user or a session."""

_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _is_text(value: Any) -> Any:
    # A number would be read as seconds since 1970, in which nobody sees a wrong unit.
    if not isinstance(value, str | datetime):
        raise ValueError("a time is a text, such as 2026-11-02T09:30:00Z. Write it so")
    return value


class FeedbackRow(Model):
    """What all kinds of feedback have in common: one person about one answer of a model."""

    kind: Literal["thumbs", "edit", "report"]
    """What was given: `thumbs`, `edit` or `report`."""
    prompt: tuple[Turn, ...]
    """What was asked: a text, or a list of messages that ends with one of the user."""
    answer: Said
    """The answer that the feedback is about, as the person saw it."""
    time: Annotated[AwareDatetime, BeforeValidator(_is_text)]
    """When, in ISO 8601 with a time zone: `2026-11-02T09:30:00Z`."""
    user: Who
    """Who gave it. Stored only as a salted hash."""
    session: Who
    """In which session. Stored only as a salted hash."""
    model: _Name
    """The model or checkpoint that answered."""
    source: _Name | None = None
    """The product or page from which it comes."""
    consent: bool | None = None
    """Whether the person agreed to training on it. `false` is never stored, and takes back a row
    that was; absent means that nobody asked."""

    @model_validator(mode="before")
    @classmethod
    def _text_means_one_user_turn(cls, value: Any) -> Any:
        return one_user_turn(value)

    @model_validator(mode="after")
    def _waits_for_an_answer(self) -> Self:
        roles = [turn.role for turn in self.prompt]
        if not roles or roles[-1] != "user" or "system" in roles[1:]:
            raise ValueError(
                "a prompt ends with a message of the user, and only the first message may be of "
                f"the system; got the roles {listed(roles)}. Put the answer under 'answer'"
            )
        return self

    @property
    def asked(self) -> Prompt:
        """The prompt as a conversation."""
        return Prompt(tuple(Message(turn.role, turn.content) for turn in self.prompt))

    @property
    def moment(self) -> str:
        """The time in UTC, so that texts sort as times do."""
        return self.time.astimezone(UTC).isoformat(timespec="microseconds")

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        """Tell editors that a prompt may be a text."""
        return asked_schema(core, handler)


class Thumbs(FeedbackRow):
    """An answer that somebody liked or disliked."""

    kind: Literal["thumbs"]
    """A thumb up or down."""
    value: Literal["up", "down"]
    """`up` or `down`."""


class Edit(FeedbackRow):
    """An answer that somebody rewrote."""

    kind: Literal["edit"]
    """A rewritten answer."""
    edited: Said
    """The answer as the person would have it."""


class Report(FeedbackRow):
    """An answer that somebody flagged."""

    kind: Literal["report"]
    """A flagged answer."""
    category: Category
    """What is wrong with it, in a word of the deployment's own list: `harmful`, `privacy` …"""
    note: Annotated[str, StringConstraints(max_length=5_000)] = ""
    """What the person wrote about it."""


class Feedback(RootModel[Annotated[Thumbs | Edit | Report, Field(discriminator="kind")]]):
    """One row of a JSONL file of feedback."""

    model_config = ConfigDict(title="One row of feedback, a line of a JSONL file")


FORMS: dict[str, type[Thumbs | Edit | Report]] = {
    "thumbs": Thumbs,
    "edit": Edit,
    "report": Report,
}
"""The model of each kind."""
