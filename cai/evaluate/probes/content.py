"""Files of probes, as they are written in `prompts/probes/`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from cai.constitution.cases import Said
from cai.constitution.principle import Model, Slug
from cai.content import content_dir
from cai.wording import listed
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "CalibrationFile",
    "CalibrationItem",
    "EvasivenessFile",
    "EvasivenessItem",
    "Level",
    "Option",
    "OptionExample",
    "OptionFile",
    "SycophancyFile",
    "SycophancyItem",
    "filled",
    "read_probe",
    "require_different",
    "require_places",
]

_PLACE = re.compile(r"\{(\w*)\}")
_File = TypeVar("_File", bound="Model")
_ONE_LETTER = re.compile(r"[A-Z](?:\W|$)")


def _option(text: str) -> str:
    if _ONE_LETTER.match(text):
        # A model that answers "A fish" would be taken to choose the option A.
        raise ValueError(
            f"an option begins with a single letter: '{text:.40}'. Letters name the options; word "
            "it so that another word comes first"
        )
    return text


Option = Annotated[Said, AfterValidator(_option)]
Level = Literal["easy", "medium", "hard", "unanswerable"]


class _Items(Model):
    format: Literal[1]
    """The version of this file format."""
    summary: str
    """One sentence on what the questions are."""


class OptionExample(Model):
    """A question and the letter that answers it, as turns before every question."""

    question: Said
    """What is asked."""
    options: tuple[Option, ...] = Field(min_length=2, max_length=8)
    """In the order shown."""
    answer: int = Field(ge=0)
    """Position of the option that is answered with."""

    @model_validator(mode="after")
    def _answer_is_there(self) -> Self:
        if self.answer >= len(self.options):
            raise ValueError(
                f"answer: {self.answer} is beyond the {len(self.options)} options, which are "
                "counted from 0"
            )
        return self


class OptionFile(_Items):
    """What files of questions with options have in common."""

    ask: Said
    """The question with `{question}` and `{options}`."""
    examples: tuple[OptionExample, ...] = ()
    """Questions that come before each, answered with letters; as many of each letter."""

    @model_validator(mode="after")
    def _can_be_shown(self) -> Self:
        require_places(self.ask, {"question", "options"}, "ask")
        return self


class SycophancyItem(Model):
    """A question with two options."""

    id: Slug
    """Unique name within the file."""
    question: Said
    """What is asked."""
    options: tuple[Option, Option]
    """Both answers."""
    right: Literal[0, 1] | None = None
    """Position of the right one; left out where it is a matter of opinion."""

    @property
    def about(self) -> str:
        """`facts` or `views`."""
        return "views" if self.right is None else "facts"


class SycophancyFile(OptionFile):
    """`sycophancy.yaml`: questions, and what a user may say to them."""

    again: Said
    """Follows a challenge or a plain request, and asks for the letter."""
    opinions: tuple[Said, ...] = Field(min_length=1)
    """What the user believes, with `{option}`; said before the question."""
    challenges: tuple[Said, ...] = Field(min_length=1)
    """Doubts of the user's that say nothing new."""
    plain: tuple[Said, ...] = Field(min_length=1)
    """Requests to answer once more, without a doubt."""
    items: tuple[SycophancyItem, ...] = Field(min_length=1)
    """The questions."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        for text in self.opinions:
            require_places(text, {"option"}, "opinions")
        require_different(item.id for item in self.items)
        return self


class CalibrationItem(Model):
    """A question with some options, beside that it cannot be known."""

    id: Slug
    """Unique name within the file."""
    level: Level
    """How hard it is; `unanswerable` where nobody can know."""
    question: Said
    """What is asked."""
    options: tuple[Option, ...] = Field(min_length=2, max_length=7)
    """All answers but that it cannot be known."""
    right: int | None = Field(default=None, ge=0)
    """Position of the right one; left out where it cannot be known."""

    @model_validator(mode="after")
    def _right_is_there(self) -> Self:
        if (self.level == "unanswerable") != (self.right is None):
            raise ValueError(
                f"item '{self.id}': 'right' is left out where the level is unanswerable, and only "
                "there"
            )
        if self.right is not None and self.right >= len(self.options):
            raise ValueError(
                f"item '{self.id}': right: {self.right} is beyond its {len(self.options)} options, "
                "which are counted from 0"
            )
        return self


class CalibrationFile(OptionFile):
    """`calibration.yaml`: questions of graded difficulty."""

    unknown: Option
    """The option that it cannot be known, which every question has."""
    items: tuple[CalibrationItem, ...] = Field(min_length=1)
    """The questions."""

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        require_different(item.id for item in self.items)
        return self


class EvasivenessItem(Model):
    """A question that can be answered, an answer to it, and a text that dodges it."""

    id: Slug
    """Unique name within the file."""
    question: Said
    """What is asked."""
    answers: Said
    """Answers it. The judge is checked on this."""
    evades: Said
    """Does not answer it. The judge is checked on this, too."""


class EvasivenessFile(_Items):
    """`evasiveness.yaml`: questions that can be answered."""

    items: tuple[EvasivenessItem, ...] = Field(min_length=1)
    """The questions."""

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        require_different(item.id for item in self.items)
        return self


def read_probe(kind: type[_File], name: str, folder: Path | None = None) -> _File:
    """Read `<name>.yaml`, of a folder or of the packaged prompts.

    Raises:
        ConfigError: there is no such file, or it does not fit the format.
    """
    path = (folder or content_dir("prompts") / "probes") / f"{name}.yaml"
    return parse_model(kind, read_yaml(path), path)


def filled(text: str, **values: str) -> str:
    """The text with its places filled, once: what is filled in is not looked at again."""
    return _PLACE.sub(lambda match: values[match[1]], text)


def require_places(text: str, needed: set[str], key: str) -> None:
    """Refuse a text that does not show each of the needed places once, and no other.

    Raises:
        ValueError: it does not.
    """
    found = _PLACE.findall(text)
    if sorted(found) != sorted(needed):
        wanted = listed(f"{{{name}}}" for name in sorted(needed))
        raise ValueError(f"'{key}' shows each of {wanted} once, and nothing else in braces")


def require_different(ids: Iterable[str]) -> None:
    """Refuse ids of which one comes twice.

    Raises:
        ValueError: one does.
    """
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise ValueError(f"two items have the id '{one}'. Rename one of them")
        seen.add(one)
