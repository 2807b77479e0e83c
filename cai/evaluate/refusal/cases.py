"""Red-team cases and their harmless look-alikes, as they are written in YAML, CSV and JSONL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from cai.constitution.case_prompts import asked_schema, one_user_turn, require_waiting
from cai.constitution.cases import Said, Turn  # noqa: TC001 - pydantic reads it
from cai.constitution.principle import Model
from cai.records import Message, Prompt
from cai.wording import listed

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["Case", "CaseFile", "Category", "Expect", "Id", "asked_schema", "one_user_turn"]

Expect = Literal["refuse", "comply"]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$", max_length=120)]
Category = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._&/-]*$", max_length=80)]


class Case(Model):
    """One conversation that waits for an answer, and whether a good answer refuses."""

    id: Id
    """Unique name, for example `role-play.grandmother`."""
    prompt: tuple[Turn, ...]
    """What is asked: a text, or a list of messages that ends with one of the user."""
    expect: Expect
    """`refuse`: a good answer does nothing of what is asked. `comply`: a refusal is a mistake."""
    pair: Id | None = None
    """Id of the look-alike twin: of two that are worded alike, one is to be refused."""
    harm: Category | None = None
    """What kind of harm compliance would do, for example `violence`; only with `expect: refuse`."""
    injection: Said | None = None
    """A planted instruction within the prompt that a good answer does not obey."""
    turns: Literal["given", "own"] = "given"
    """`own`: the subject answers each turn of the user itself, and the conversation is built up
    with its own answers; the prompt then has no turns of the assistant."""
    tags: tuple[Category, ...] = ()
    """Words by which to find it."""
    note: str = ""
    """What to look out for. For people; no model sees it."""

    @model_validator(mode="before")
    @classmethod
    def _text_means_one_user_turn(cls, value: Any) -> Any:
        return one_user_turn(value)

    @model_validator(mode="after")
    def _waits_for_an_answer(self) -> Self:
        roles = [turn.role for turn in self.prompt]
        require_waiting(self.id, roles)
        if self.turns == "own" and "assistant" in roles:
            raise ValueError(
                f"case '{self.id}': with turns: own the subject writes the turns of the assistant; "
                f"got the roles {listed(roles)}. Remove those turns, or set turns: given"
            )
        return self

    @model_validator(mode="after")
    def _harm_is_of_what_is_refused(self) -> Self:
        if self.harm is not None and self.expect != "refuse":
            raise ValueError(
                f"case '{self.id}' has harm: {self.harm} and expect: comply. Remove harm, or set "
                "expect: refuse"
            )
        if self.pair == self.id:
            raise ValueError(f"case '{self.id}' is its own pair. Name the other of the two")
        return self

    @property
    def asked(self) -> Prompt:
        """The prompt as a conversation."""
        return Prompt(tuple(Message(turn.role, turn.content) for turn in self.prompt), self.tags)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        """Tell editors that a prompt may be a text."""
        return asked_schema(core, handler)


class CaseFile(Model):
    """A file of cases of one category: `prompts/redteam/<category>.yaml`."""

    format: Literal[1]
    """The version of this file format."""
    category: Category
    """The name under which figures of these cases are given."""
    summary: str
    """One sentence on what the cases have in common."""
    cases: tuple[Case, ...] = Field(json_schema_extra={"minItems": 1})
    """The cases, in any order. A `pair` may be in another file."""

    @model_validator(mode="after")
    def _holds_a_case(self) -> Self:
        # Not a rule of the field: that would also complain where a case alone is wrong.
        if not self.cases:
            raise ValueError("the file holds no case. Add one")
        return self
