"""Lists of what a constitution might be about: categories of harms and of virtues."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cai.constitution.principle import Model, Pattern, Slug, Text
from cai.constitution.refs import is_path
from cai.content import content_dir
from cai.errors import ConfigError, nearest
from cai.wording import listed
from cai.yaml import parse_model, read_yaml

__all__ = ["Category", "Taxonomy", "load_taxonomy"]

_STARS = 3
Keyword = Annotated[str, Field(pattern=r"^\s*\w\S*(\s+\S+)*\s*$", min_length=2, max_length=80)]


class Category(Model):
    """One harm or virtue, and how principles about it are recognised."""

    id: Slug
    """Unique name."""
    kind: Literal["harm", "virtue"]
    """Whether it is to be kept away from, or striven for."""
    description: Text
    """What belongs to it, in a sentence."""
    tags: tuple[Pattern, ...] = ()
    """A principle with one of these tags is about it; `*` stands for any characters."""
    keywords: tuple[Keyword, ...] = ()
    """A principle with one of these words or phrases in its wordings is about it, too; `*` stands
    for any letters, as in `violen*`. Letter case does not count."""

    @model_validator(mode="after")
    def _can_be_recognised(self) -> Self:
        if not (self.tags or self.keywords):
            raise ValueError(f"'{self.id}' has neither tags nor keywords. Give it some")
        starred = next((word for word in self.keywords if word.count("*") > _STARS), None)
        if starred is not None:
            # Each star multiplies the ways in which a long word can be tried.
            raise ValueError(f"'{starred}' has more than {_STARS} stars. Use fewer")
        return self


class Taxonomy(Model):
    """A file of categories."""

    format: Literal[1]
    """The version of this file format."""
    taxonomy: Slug
    """The same as the file's name."""
    summary: Text
    """What the list is for."""
    sources: tuple[Text, ...] = ()
    """Where the categories come from."""
    categories: tuple[Category, ...] = Field(min_length=1)
    """In the order in which they are reported."""

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [category.id for category in self.categories]
        twice = next((one for one in ids if ids.count(one) > 1), None)
        if twice is not None:
            raise ValueError(f"the category '{twice}' comes twice. Give each its own id")
        return self


def load_taxonomy(ref: str | Path) -> Taxonomy:
    """Read a list of categories.

    Args:
        ref: the name of one that is packaged in `constitution/taxonomies/`, or a YAML file.

    Raises:
        ConfigError: there is none of that name, or the file does not fit the format.
    """
    if isinstance(ref, Path) or is_path(ref):
        path = Path(ref)
        return parse_model(Taxonomy, read_yaml(path), path)
    folder = content_dir("constitution") / "taxonomies"
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    if ref not in known:
        raise ConfigError(
            f"No taxonomy is called '{ref}'. Known: {listed(known)}.{nearest(ref, known)} "
            "Use one of them, or give the path of a YAML file."
        )
    path = folder / f"{ref}.yaml"
    return parse_model(Taxonomy, read_yaml(path), path)
