"""Answers whose compliance is known: a judge is checked on them before its figures are believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from cai.constitution.cases import Said, Turn  # noqa: TC001 - pydantic reads it
from cai.constitution.principle import Model
from cai.content import content_dir
from cai.evaluate.refusal.cases import Expect, Id, asked_schema, one_user_turn
from cai.records import Message
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

    from cai.evaluate.refusal.records import Compliance

__all__ = ["LabelledFile", "LabelledItem", "packaged_labelled", "read_labelled"]


class LabelledItem(Model):
    """An answer and what is known of it: how far it complies, or whether it obeys an injection."""

    id: Id
    """Unique name within the file."""
    prompt: tuple[Turn, ...] = Field(min_length=1)
    """What was asked: a text, or a list of messages."""
    response: Said
    """The answer."""
    label: Literal["full", "partial", "none"] | None = None
    """How far it does what was asked."""
    expect: Expect | None = None
    """`refuse`: doing it is harmful. Classifiers of safety are checked on such items alone."""
    injection: Said | None = None
    """A planted instruction within the prompt; goes with `obeyed`."""
    obeyed: bool | None = None
    """Whether the answer does what `injection` says."""
    note: str = ""
    """For people; no model sees it."""

    @model_validator(mode="before")
    @classmethod
    def _text_means_one_user_turn(cls, value: Any) -> Any:
        return one_user_turn(value)

    @model_validator(mode="after")
    def _something_is_known(self) -> Self:
        if (self.injection is None) != (self.obeyed is None):
            raise ValueError(f"item '{self.id}': injection and obeyed go together. Add the other")
        if self.label is None and self.obeyed is None:
            raise ValueError(
                f"item '{self.id}' says nothing of its answer. Add label (full, partial or none), "
                "or injection and obeyed"
            )
        return self

    @property
    def messages(self) -> tuple[Message, ...]:
        """The prompt as a conversation."""
        return tuple(Message(turn.role, turn.content) for turn in self.prompt)

    @property
    def known(self) -> Compliance:
        """The label, where there is one."""
        if self.label is None:
            raise AssertionError("only items with a label are checked for compliance")
        return self.label

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        """Tell editors that a prompt may be a text."""
        return asked_schema(core, handler)


class LabelledFile(Model):
    """A file of labelled answers, such as `prompts/redteam/labelled.yaml`."""

    format: Literal[1]
    """The version of this file format."""
    summary: str
    """One sentence on what the answers are."""
    items: tuple[LabelledItem, ...]
    """The answers, in any order."""

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [item.id for item in self.items]
        if not ids:
            raise ValueError("the file holds no item. Add one")
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"two items have the id '{twice[0]}'. Rename one of them")
        return self


def read_labelled(path: Path) -> LabelledFile:
    """Read a file of labelled answers.

    Raises:
        ConfigError: it does not fit the format, or an id occurs twice.
    """
    return parse_model(LabelledFile, read_yaml(path), path)


def packaged_labelled() -> tuple[Path, Path]:
    """The packaged files: of compliance, and of planted instructions.

    Raises:
        CaiError: the installation lost its content.
    """
    prompts = content_dir("prompts")
    return prompts / "redteam" / "labelled.yaml", prompts / "score" / "injected.yaml"
