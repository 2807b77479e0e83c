"""The YAML files of constitutions and of families of principles, as they are written."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal, Self

import semver
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from cai.constitution.models import Aggregate  # noqa: TC001 - pydantic reads it
from cai.constitution.principle import (
    Example,
    Model,
    Pattern,
    Principle,
    Proposition,
    Rubric,
    Selector,
    Slug,
    Text,
    Wording,
)

__all__ = ["Change", "ConstitutionFile", "Family", "Include", "Override"]


def _semantic(version: str) -> str:
    semver.Version.parse(version)
    return version


_ONE = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
"""An id in full, and not a pattern."""


def _iso(value: Any) -> Any:
    """YAML reads 2026-01-31 without quotes as a date."""
    return value.isoformat() if isinstance(value, date) else value


Version = Annotated[str, AfterValidator(_semantic)]


class Family(Model):
    """A file `principles/<family>.yaml`: principles about one subject, for reuse."""

    format: Literal[1]
    """The version of this file format."""
    family: Slug
    """The name that constitutions include; the same as the file's."""
    summary: str
    """One sentence on what the family is for."""
    principles: tuple[Principle, ...] = Field(min_length=1)
    """The principles, in any order."""


class Include(Model):
    """Takes principles from a family: all of them, or those with the given ids or tags."""

    family: Slug
    """Name of a file in `principles/`."""
    ids: tuple[Pattern, ...] = ()
    """Only these principles; `*` stands for any characters."""
    tags: tuple[Pattern, ...] = ()
    """Only principles that carry at least one of these tags; `*` stands for any characters."""
    weight: float | None = Field(default=None, gt=0, le=1000)
    """Replaces the weight of every principle taken."""


class Override(Model):
    """Changes principles that come from parents or families. Keys that are absent stay."""

    id: Pattern
    """Which principles; `*` stands for any characters. Wordings need a full id."""
    text: Text | None = None
    """In place of the principle's own, as all that follow."""
    critique: Wording | None = None
    """Asks a critic how an answer falls short of the principle."""
    revise: Wording | None = None
    """Asks for a rewrite that follows the principle."""
    judge: Wording | None = None
    """Asks which of two answers follows the principle better."""
    tags: tuple[Slug, ...] | None = None
    """Free labels."""
    weight: float | None = Field(default=None, gt=0, le=1000)
    """How often the principle is drawn, relative to the others."""
    applies_to: Selector | None = None
    """Prompts that the principle is for."""
    rubric: Rubric | None = None
    """What scores stand for."""
    propositions: tuple[Proposition, ...] | None = None
    """Statements that tell whether an answer follows it."""
    examples: tuple[Example, ...] | None = None
    """Few-shot cases for the judge."""

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        given = self.changes
        if not given:
            raise ValueError(f"'{self.id}' is overridden with nothing. Give a key, such as weight")
        worded = [key for key in given if key not in ("weight", "tags", "applies_to")]
        if worded and not _ONE.fullmatch(self.id):
            raise ValueError(
                f"'{self.id}' may stand for several principles, which cannot share the same "
                f"{worded[0]}. Name one id"
            )
        return self

    @property
    def changes(self) -> dict[str, object]:
        """Keys of a principle and what they become."""
        return {k: v for k, v in dict(self).items() if k != "id" and v is not None}


class Change(Model):
    """An entry of the changelog."""

    version: Version
    """The version that brought it."""
    date: Annotated[str, BeforeValidator(_iso), Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""
    """When it was released, as 2026-01-31."""
    changes: tuple[Text, ...] = Field(min_length=1)
    """What is different, one sentence each."""


class ConstitutionFile(Model):
    """A file `constitution/<name>/<version>.yaml`, as written."""

    format: Literal[1]
    """The version of this file format."""
    name: Slug
    """The same as the folder's."""
    version: Version
    """Semantic version; a released file is never edited."""
    summary: str
    """One or two sentences: for whom, and what it wants."""
    preamble: Wording = ""
    """What good answers are like, for `judge.preamble`. That of the last parent when absent, and
    the summary where no parent has one."""
    extends: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Parents, whose principles are taken over: names, such as harmless-helpful@^1, or paths
    relative to this file."""
    include: tuple[Include, ...] = ()
    """Principles taken from families."""
    remove: tuple[Pattern, ...] = ()
    """Ids of principles of parents and families that are left out; `*` stands for any
    characters."""
    override: tuple[Override, ...] = ()
    """Changes to principles of parents and families."""
    principles: tuple[Principle, ...] = ()
    """Principles of its own."""
    priorities: tuple[Pattern, ...] = ()
    """What goes first, highest first: ids, where `*` stands for any characters, or `tag:NAME`.
    Principles that none of them names come last. That of the last parent when absent."""
    aggregate: Aggregate | None = None
    """How verdicts under several principles become one, unless a config says otherwise. That of the
    last parent when absent."""
    changelog: tuple[Change, ...] = ()
    """What each version changed, the newest first."""
