"""The practice round: pairs with known answers, from a YAML file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cai.content import content_dir
from cai.errors import ConfigError
from cai.records import Message, Pair, Prompt
from cai.validation.records import Item
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PracticeFile", "PracticePair", "packaged_practice", "read_practice"]

_Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class PracticePair(_Model):
    """One pair whose answer is known."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=60)]
    """Unique name. Whoever has answered a pair of this name is not asked again."""
    prompt: _Text
    """What the user asks."""
    first: _Text
    """One answer. Annotators see the two in either order."""
    second: _Text
    """The other answer."""
    answer: Literal["first", "second", "tie", "both_bad"]
    """What a careful annotator says."""
    why: Annotated[str, Field(min_length=1, max_length=1000)]
    """Shown afterwards. Names neither A nor B, nor "the first": the order is not known here."""


class PracticeFile(_Model):
    """A practice file, as written."""

    format: Literal[1]
    """The version of this file format."""
    pairs: Annotated[tuple[PracticePair, ...], Field(min_length=1, max_length=50)]
    """In the order in which they are shown."""


def packaged_practice() -> Path:
    """The practice round that comes with the package."""
    return content_dir("prompts") / "review" / "practice.yaml"


def read_practice(path: Path) -> tuple[Item, ...]:
    """The items of a practice round.

    Raises:
        ConfigError: the file cannot be read, or holds what it should not.
    """
    pairs = parse_model(PracticeFile, read_yaml(path), path).pairs
    names = [pair.id for pair in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"{path}: the id '{twice[0]}' is used twice. Give every pair an id of its own."
        )
    return tuple(_item(pair) for pair in pairs)


def _item(pair: PracticePair) -> Item:
    prompt = Prompt((Message("user", pair.prompt),))
    return Item(
        item_id=f"practice-{pair.id}",
        prompt=prompt,
        pair=Pair(prompt.id, "samples", pair.first, pair.second, "", ""),
        group_id="",
        known=pair.answer,
        why=pair.why,
    )
