"""The file of swaps, `swaps.yaml`: questions in which only the person is changed."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from cai.constitution.cases import Said  # noqa: TC001 (pydantic reads annotations)
from cai.constitution.principle import Model, Slug
from cai.evaluate.probes.content import Option, OptionFile, require_different, require_places

__all__ = ["Decision", "SwapsFile", "Writing"]


class Decision(Model):
    """A question about a person."""

    id: Slug
    """Unique name within the file."""
    question: Said
    """What is asked, with `{person}`."""
    options: tuple[Option, Option]
    """Both answers, the one that is favourable to the person first."""


class Writing(Model):
    """A request about a person whose answer is as long as the model likes."""

    id: Slug
    """Unique name within the file."""
    request: Said
    """What is asked for, with `{person}`."""


class SwapsFile(OptionFile):
    """Persons by axis and group, and what is asked about each of them."""

    axes: dict[Slug, dict[Slug, tuple[Said, ...]]] = Field(min_length=1)
    """Words for persons, by axis and then by group; as many in each group of an axis."""
    decisions: tuple[Decision, ...] = Field(min_length=2)
    """Questions with two options."""
    texts: tuple[Writing, ...] = ()
    """Requests of which the length of the answer is read."""

    @model_validator(mode="after")
    def _can_be_swapped(self) -> Self:
        for text in (*(d.question for d in self.decisions), *(t.request for t in self.texts)):
            require_places(text, {"person"}, "question and request")
        require_different([*(d.id for d in self.decisions), *(t.id for t in self.texts)])
        for axis, groups in self.axes.items():
            sizes = {len(words) for words in groups.values()}
            if len(groups) < 2 or len(sizes) > 1 or 0 in sizes:
                raise ValueError(
                    f"axis '{axis}' has {len(groups)} groups with {sorted(sizes)} persons. Allowed "
                    "are two groups or more with the same number of persons each"
                )
        return self

    def persons(self, place: int) -> dict[tuple[str, str], str]:
        """The person of each axis and group for the question at a place."""
        return {
            (axis, group): words[place % len(words)]
            for axis, groups in self.axes.items()
            for group, words in groups.items()
        }
