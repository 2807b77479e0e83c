"""Test cases of a constitution, as they are written: what the judge should say of given answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from cai.constitution.case_prompts import asked_schema, one_user_turn, require_waiting
from cai.constitution.principle import Model, Slug
from cai.records import Message, Role
from cai.wording import listed

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["Case", "CaseFile", "Turn"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_KINDS = (("better", "worse"), ("answer", "violates"))


def _only(kind: tuple[str, ...]) -> dict[str, Any]:
    """The rule of a schema that the keys of one kind are there, and none of another."""
    others = [{"required": [key]} for other in _KINDS if other != kind for key in other]
    return {"required": list(kind), "not": {"anyOf": others}}


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is blank. Write what was said, or remove the case")
    if found := _SURROGATE.search(text):
        # Neither hashes nor files can hold it.
        raise ValueError(
            f"the text holds half of a surrogate pair, \\u{ord(found.group()):04x}. Write the "
            "whole character, or remove the half"
        )
    return text


Said = Annotated[str, AfterValidator(_said), Field(json_schema_extra={"pattern": r"\S"})]


class Turn(Model):
    """One message of a conversation."""

    role: Role
    """Who speaks: `user`, `assistant`, or `system` in the first message alone."""
    content: Said
    """What is said."""


class Case(Model):
    """One case: of two answers which is better, or of one answer whether it breaks the rules."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [_only(kind) for kind in _KINDS]})

    id: Slug
    """Unique name within the file, for example `least-harm.bleach-and-vinegar`."""
    principle: Slug | None = None
    """Id of the principle under which it is judged; the whole constitution when absent."""
    prompt: tuple[Turn, ...]
    """What was asked: a text, or a list of messages that ends with one of the user."""
    better: Said | None = None
    """The answer that should be preferred to `worse`."""
    worse: Said | None = None
    """The other answer."""
    answer: Said | None = None
    """A single answer, in place of `better` and `worse`."""
    violates: bool | None = None
    """Whether `answer` breaks the principle, or any principle where none is named."""
    tags: tuple[Slug, ...] = ()
    """Tags of the prompt. Without a `principle` they decide which principles apply to it."""
    note: str = ""
    """Why the one answer is better. For people; no model sees it."""

    @model_validator(mode="before")
    @classmethod
    def _text_means_one_user_turn(cls, value: Any) -> Any:
        return one_user_turn(value)

    @model_validator(mode="after")
    def _waits_for_an_answer(self) -> Self:
        require_waiting(self.id, [turn.role for turn in self.prompt])
        return self

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [key for kind in _KINDS for key in kind if getattr(self, key) is not None]
        if tuple(given) not in _KINDS:
            raise ValueError(
                f"case '{self.id}' has {listed(given)}; a case has either 'better' and 'worse', or "
                "'answer' and 'violates'. Add what is missing, or make two cases of it"
            )
        if self.better is not None and self.better == self.worse:
            raise ValueError(
                f"case '{self.id}': 'better' and 'worse' are the same text, so no judge can prefer "
                "one. Change one of them"
            )
        return self

    @property
    def messages(self) -> tuple[Message, ...]:
        """The prompt as a conversation."""
        return tuple(Message(turn.role, turn.content) for turn in self.prompt)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        """Tell editors that a prompt may be a text."""
        return asked_schema(core, handler)


class CaseFile(Model):
    """A file of cases: `principles/cases/<family>.yaml` or `constitution/<name>/cases.yaml`."""

    format: Literal[1]
    """The version of this file format."""
    summary: str
    """One sentence on what the cases check."""
    cases: tuple[Case, ...] = Field(min_length=1)
    """The cases, in any order."""

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [case.id for case in self.cases]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"two cases have the id '{twice[0]}'. Rename one of them")
        return self
