"""What a constitution is: principles with an identity, drawn from families."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import semver
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cai.hashing import content_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Constitution", "ConstitutionFile", "Family", "Include", "Principle", "Proposition"]

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:[.-][a-z0-9]+)*$", max_length=80)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]


def _semantic(version: str) -> str:
    semver.Version.parse(version)
    return version


Version = Annotated[str, AfterValidator(_semantic)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Proposition(_Model):
    """A statement about one answer that is true or not; `judge.mode: propositions` asks for it."""

    text: Text
    """A sentence about the answer, for example: The response asks for consent."""
    weight: float = Field(default=1.0, ge=-1000, le=1000)
    """What it counts for, relative to the others; below 0 where it should not be true."""


class Principle(_Model):
    """One rule, in the four wordings that the loop needs."""

    id: Slug
    """Unique name, for example `honesty.admit-uncertainty`. Draws and labels refer to it."""
    text: Text
    """The principle itself, as one would tell a colleague."""
    critique: Text
    """Asks a critic how an answer falls short of the principle."""
    revise: Text
    """Asks for a rewrite that follows the principle."""
    judge: Text
    """Asks which of two answers follows the principle better."""
    tags: tuple[Slug, ...] = ()
    """Free labels, for choosing principles and for reports."""
    weight: float = Field(default=1.0, gt=0, le=1000)
    """How often the principle is drawn, relative to the others."""
    propositions: tuple[Proposition, ...] = ()
    """Statements that tell whether an answer follows it, for `judge.mode: propositions`."""
    note: str = ""
    """Where the principle comes from, and why it is worded so. For people; not hashed."""


class Family(_Model):
    """A file `principles/<family>.yaml`: principles about one subject, for reuse."""

    format: Literal[1]
    """The version of this file format."""
    family: Slug
    """The name that constitutions include; the same as the file's."""
    summary: str
    """One sentence on what the family is for."""
    principles: tuple[Principle, ...] = Field(min_length=1)
    """The principles, in any order."""


class Include(_Model):
    """Takes principles from a family: all of them, or those with the given ids or tags."""

    family: Slug
    """Name of a file in `principles/`."""
    ids: tuple[Slug, ...] = ()
    """Only these principles."""
    tags: tuple[Slug, ...] = ()
    """Only principles that carry at least one of these tags."""
    weight: float | None = Field(default=None, gt=0, le=1000)
    """Replaces the weight of every principle taken."""


class ConstitutionFile(_Model):
    """A file `constitution/<name>/<version>.yaml`, as written."""

    format: Literal[1]
    """The version of this file format."""
    name: Slug
    """The same as the folder's."""
    version: Version
    """Semantic version; a released file is never edited."""
    summary: str
    """One or two sentences: for whom, and what it wants."""
    include: tuple[Include, ...] = ()
    """Principles taken from families."""
    principles: tuple[Principle, ...] = ()
    """Principles of its own."""


class Constitution(_Model):
    """A resolved constitution: all principles in place, sorted by id, ready to be used."""

    name: Slug
    version: Version
    summary: str
    principles: tuple[Principle, ...] = Field(min_length=1)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the meaning: what a model or a draw can notice.

        The order of principles, their notes and the summary, comments and YAML layout do not
        count; neither do name and version, which only say what the meaning is called.
        """
        return content_hash(
            [
                {"id": p.id, "text": p.text, "critique": p.critique, "revise": p.revise}
                | {"judge": p.judge, "tags": sorted(p.tags), "weight": p.weight}
                # Left out where there are none, so that older constitutions keep their hash.
                | (
                    {"propositions": [[q.text, q.weight] for q in p.propositions]}
                    if p.propositions
                    else {}
                )
                for p in sorted(self.principles, key=lambda p: p.id)
            ]
        )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy whose hash is its own: pydantic would carry the cached one over."""
        copied = super().model_copy(update=update, deep=deep)
        for cached in ("hash", "_by_id"):
            copied.__dict__.pop(cached, None)
        return copied

    @property
    def label(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def __getitem__(self, principle_id: str) -> Principle:
        """The principle with this id.

        Raises:
            KeyError: there is none.
        """
        return self._by_id[principle_id]

    @cached_property
    def _by_id(self) -> dict[str, Principle]:
        return {p.id: p for p in self.principles}
