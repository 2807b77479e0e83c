"""What a principle is: one rule, in the wordings that the loop needs."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

__all__ = [
    "Example",
    "Level",
    "Model",
    "Pattern",
    "Principle",
    "Proposition",
    "Rubric",
    "Selector",
    "Slug",
    "Text",
    "Wording",
]

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:[.-][a-z0-9]+)*$", max_length=80)]


def _said(text: str) -> str:
    """A text of blanks alone would be asked as a question."""
    if text and not text.strip():
        raise ValueError("the text is blank. Write it, or leave the key out")
    return text


Text = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_said)]
Wording = Annotated[str, Field(max_length=2000), AfterValidator(_said)]
Pattern = Annotated[str, Field(min_length=1, max_length=80)]
"""A word in which `*` stands for any characters, for example `harmlessness.*`."""


class Model(BaseModel):
    """Frozen, and without unknown keys; docstrings of fields reach the editors' schemas."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Proposition(Model):
    """A statement about one answer that is true or not; `judge.mode: propositions` asks for it."""

    text: Text
    """A sentence about the answer, for example: The response asks for consent."""
    weight: float = Field(default=1.0, ge=-1000, le=1000)
    """What it counts for, relative to the others; below 0 where it should not be true."""


class Level(Model):
    """What a score from 1 to 10 stands for; `judge.mode: score` shows it."""

    score: int = Field(ge=1, le=10)
    """The number that the judge gives."""
    text: Text
    """What an answer with this score is like."""


def _levels_differ(rubric: tuple[Level, ...]) -> tuple[Level, ...]:
    scores = [level.score for level in rubric]
    if len(set(scores)) < len(scores):
        raise ValueError(f"each score may have one text, and the scores are {scores}")
    return rubric


Rubric = Annotated[tuple[Level, ...], AfterValidator(_levels_differ)]


class Example(Model):
    """A worked comparison under a principle, shown to the judge before its question."""

    prompt: Text
    """What was asked."""
    better: Text
    """The answer that follows the principle better."""
    worse: Text
    """The other answer."""


class Selector(Model):
    """Chooses prompts by their tags. `*` in a tag stands for any characters."""

    any: tuple[Pattern, ...] = ()
    """The prompt carries at least one of these."""
    all: tuple[Pattern, ...] = ()
    """The prompt carries each of these."""
    none: tuple[Pattern, ...] = ()
    """The prompt carries none of these."""

    @model_validator(mode="before")
    @classmethod
    def _list_means_any(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"any": (value,)}
        return {"any": value} if isinstance(value, list | tuple) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        """Tell editors of the short form, too."""
        section = handler(core)
        return {"anyOf": [section, {"type": "array", "items": {"type": "string"}}]}

    @property
    def everything(self) -> bool:
        """Whether it leaves nothing out."""
        return not (self.any or self.all or self.none)

    def matches(self, tags: Iterable[str]) -> bool:
        """Whether a prompt with these tags is chosen."""
        carried = tuple(tags)

        def has(pattern: str) -> bool:
            return any(fnmatchcase(tag, pattern) for tag in carried)

        return (
            (not self.any or any(map(has, self.any)))
            and all(map(has, self.all))
            and not any(map(has, self.none))
        )


class Principle(Model):
    """One rule, in the wordings that the loop needs.

    A principle without `critique` or `revise` is not drawn for revisions, and one without `judge`
    is not drawn for comparisons.
    """

    id: Slug
    """Unique name, for example `honesty.admit-uncertainty`. Draws and labels refer to it."""
    text: Text
    """The principle itself, as one would tell a colleague."""
    critique: Wording = ""
    """Asks a critic how an answer falls short of the principle."""
    revise: Wording = ""
    """Asks for a rewrite that follows the principle."""
    judge: Wording = ""
    """Asks which of two answers follows the principle better."""
    tags: tuple[Slug, ...] = ()
    """Free labels, for choosing principles and for reports."""
    weight: float = Field(default=1.0, gt=0, le=1000)
    """How often the principle is drawn, relative to the others."""
    applies_to: Selector = Selector()
    """Prompts that the principle is for, by their tags: a list of tags of which a prompt carries
    one, or the keys any, all and none. Every prompt when absent."""
    rubric: Rubric = ()
    """What scores stand for, for `judge.mode: score`."""
    propositions: tuple[Proposition, ...] = ()
    """Statements that tell whether an answer follows it, for `judge.mode: propositions`."""
    examples: tuple[Example, ...] = ()
    """Few-shot cases that the judge is shown with the question."""
    framing: Literal["positive", "negative"] | None = None
    """Whether the text says what to do or what to leave out. For reports; not hashed."""
    source: str = ""
    """Where the principle comes from, for example a paper. For people; not hashed."""
    note: str = ""
    """Why it is worded so. For people; not hashed."""

    def meaning(self) -> dict[str, Any]:
        """What a model or a draw can notice, as plain data.

        Later keys are left out where they say nothing, so that older constitutions keep their hash.
        """
        later = {
            "propositions": [[q.text, q.weight] for q in self.propositions],
            "rubric": sorted([level.score, level.text] for level in self.rubric),
            "examples": [[e.prompt, e.better, e.worse] for e in self.examples],
            "applies_to": {k: sorted(v) for k, v in self.applies_to.model_dump().items() if v},
        }
        first = {key: getattr(self, key) for key in ("id", "text", "critique", "revise", "judge")}
        first |= {"tags": sorted(self.tags), "weight": self.weight}
        return first | {key: value for key, value in later.items() if value}
