"""Files of the alignment tax, as they are written in `prompts/tax/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from cai.constitution.cases import Said  # noqa: TC001 - pydantic needs it at run time
from cai.constitution.principle import Model, Slug
from cai.content import content_dir
from cai.errors import ConfigError
from cai.evaluate.probes.content import Option, OptionFile, require_different
from cai.evaluate.spread import spread
from cai.hashing import content_hash
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = [
    "AREAS",
    "CHANCE",
    "Area",
    "Check",
    "InstructionFile",
    "InstructionItem",
    "TaxFile",
    "TaxItem",
    "TaxSet",
    "read_tax",
]

Area = Literal[
    "arithmetic", "language", "common-sense", "reading", "instructions", "code", "knowledge"
]
AREAS: tuple[Area, ...] = get_args(Area)
_OPTIONS = 4
CHANCE: dict[str, float] = {area: 0.0 if area == "instructions" else 1 / _OPTIONS for area in AREAS}
"""What guessing reaches, from 0 to 1."""


class TaxItem(Model):
    """A question with four options."""

    id: Slug
    """Unique name within the file."""
    question: Said
    """What is asked."""
    options: tuple[Option, ...] = Field(min_length=_OPTIONS, max_length=_OPTIONS)
    """The right one first; all places are taken in turn."""

    @model_validator(mode="after")
    def _options_differ(self) -> Self:
        if len(set(self.options)) < _OPTIONS:
            raise ValueError(f"item '{self.id}': two options are the same. Change one of them")
        return self


class TaxFile(OptionFile):
    """`<area>.yaml`: questions that are scored by the probabilities of options."""

    area: Area
    """Name of the area, and of the file."""
    items: tuple[TaxItem, ...] = Field(min_length=1)
    """The questions."""

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        require_different(item.id for item in self.items)
        return self


class Check(Model):
    """What an answer must keep to. One key is given."""

    regex: str | None = None
    """Fits the whole answer (Python's `re`)."""
    min_words: int | None = Field(default=None, ge=1)
    """Fewest words, as white space parts them."""
    max_words: int | None = Field(default=None, ge=1)
    """Most words."""
    starts_with: Said | None = None
    """The beginning, letter by letter."""
    ends_with: Said | None = None
    """The end, letter by letter."""
    contains: tuple[Said, ...] | None = Field(default=None, min_length=1)
    """Pieces of text that are all there, in capitals or not."""
    without: tuple[Said, ...] | None = Field(default=None, min_length=1)
    """Pieces of text of which none is there, in capitals or not."""
    without_words: tuple[Said, ...] | None = Field(default=None, min_length=1)
    """Words of which none is there as a whole word, in capitals or not."""
    json_keys: tuple[Said, ...] | None = Field(default=None, min_length=1, alias="json")
    """The answer is a JSON object with these keys."""

    @field_validator("regex")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"no regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        given = self.model_dump(by_alias=True, exclude_none=True)
        if len(given) != 1:
            raise ValueError(
                f"a check has one key, got {', '.join(given) or 'none'}. Write one check for each"
            )
        return self


class InstructionItem(Model):
    """A request whose form can be checked."""

    id: Slug
    """Unique name within the file."""
    ask: Said
    """The request."""
    checks: tuple[Check, ...] = Field(min_length=1)
    """An answer passes when it passes all of them."""


class InstructionFile(Model):
    """`instructions.yaml`: requests that are scored by checks of the generated text."""

    format: Literal[1]
    """The version of this file format."""
    area: Literal["instructions"]
    """Name of the area, and of the file."""
    summary: str
    """One sentence on what the requests are."""
    items: tuple[InstructionItem, ...] = Field(min_length=1)
    """The requests."""

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        require_different(item.id for item in self.items)
        return self


@dataclass(frozen=True)
class TaxSet:
    """All that is asked: files of options in the order of `AREAS`, and the instructions."""

    options: tuple[TaxFile, ...]
    instructions: InstructionFile | None = None

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Area and id of every item, in the order in which they are asked."""
        found: list[tuple[str, str]] = [
            (file.area, item.id) for file in self.options for item in file.items
        ]
        last = self.instructions
        return found + ([(last.area, item.id) for item in last.items] if last else [])

    @property
    def hash(self) -> str:
        """Of all that is asked."""
        files = [*self.options, *([self.instructions] if self.instructions else [])]
        return content_hash([file.model_dump(by_alias=True) for file in files])

    def first(self, limit: int | None) -> TaxSet:
        """The same with so many items in all, spread over the areas."""
        kept = set(spread(self.keys, lambda key: key[0], limit))
        options = (
            file.model_copy(
                update={"items": tuple(i for i in file.items if (file.area, i.id) in kept)}
            )
            for file in self.options
        )
        last = self.instructions
        if last is not None:
            items = tuple(item for item in last.items if (last.area, item.id) in kept)
            last = last.model_copy(update={"items": items}) if items else None
        return TaxSet(tuple(file for file in options if file.items), last)


def read_tax(areas: Collection[str] = AREAS, folder: Path | None = None) -> TaxSet:
    """Read the files of some areas, from a folder in place of the packaged one.

    Raises:
        ConfigError: a file is missing or does not fit its format.
    """
    where = folder or content_dir("prompts") / "tax"
    options = []
    for area in (one for one in AREAS if one in areas and one != "instructions"):
        file = parse_model(TaxFile, read_yaml(where / f"{area}.yaml"), where / f"{area}.yaml")
        if file.area != area:
            raise ConfigError(
                f"{where / area}.yaml: area: got '{file.area}'. It is named after the file: write "
                f"'area: {area}', or rename the file."
            )
        options.append(file)
    last = None
    if "instructions" in areas:
        path = where / "instructions.yaml"
        last = parse_model(InstructionFile, read_yaml(path), path)
    return TaxSet(tuple(options), last)
