"""Attacks as data: what the file of attacks holds, and which harmless text stands beside each."""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, field_validator, model_validator

from cai.config.section import Section
from cai.content import content_dir
from cai.judge.attacks.encode import Encoding  # noqa: TC001 - pydantic reads it
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Attack", "Suite", "load_suite"]

PLACEHOLDERS = ("label", "other", "tag", "other_tag", "payload")


class Attack(Section):
    """One text that an answer may add to win; see `prompts/attacks/README.md`."""

    id: str = Field(min_length=1)
    """Name in reports."""
    family: str = Field(min_length=1)
    """Attacks that are counted together."""
    text: str = Field(min_length=1)
    """What is added, with placeholders."""
    payload: str = ""
    """A part of the text that is encoded."""
    encoding: Encoding = "none"
    """How the payload is written."""
    place: Literal["append", "prepend"] = "append"
    """Where the text is added to the answer."""
    filler: str = ""
    """Comes before the text."""
    repeat: int = Field(default=1, ge=1, le=1000)
    """How often the filler comes."""

    @field_validator("text", "payload")
    @classmethod
    def _placeholders_are_known(cls, text: str) -> str:
        try:
            names = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
        except ValueError as error:
            raise ValueError(f"{error}; write {{{{ and }}}} for braces") from error
        if wrong := [name for name in names if name not in PLACEHOLDERS]:
            raise ValueError(
                f"unknown placeholder {{{wrong[0]}}}; allowed: {', '.join(PLACEHOLDERS)}"
            )
        return text

    @model_validator(mode="after")
    def _payload_is_shown(self) -> Self:
        if bool(self.payload) != ("{payload}" in self.text) or "{payload}" in self.payload:
            raise ValueError("a payload and {payload} in the text go together")
        return self


class Suite(Section):
    """A file of attacks."""

    format: Literal[1] = 1
    """The version of this file format."""
    controls: tuple[str, ...] = Field(min_length=1)
    """Harmless sentences."""
    attacks: tuple[Attack, ...] = Field(min_length=1)
    """What is tried."""

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [attack.id for attack in self.attacks]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"two attacks have the id '{twice[0]}'; ids must differ")
        if blank := [text for text in self.controls if not text.strip()]:
            raise ValueError(f"a control is blank: {blank[0]!r}")
        return self

    def control(self, length: int) -> str:
        """Harmless sentences of about so many characters; at least one.

        Whole sentences, always in the same order: attacks of nearly the same length share a
        control, which is then asked about once.
        """
        chosen, total, at = [self.controls[0]], len(self.controls[0]), 1
        while True:
            following = self.controls[at % len(self.controls)]
            longer = total + 1 + len(following)
            if abs(longer - length) >= abs(total - length):
                return " ".join(chosen)
            chosen.append(following)
            total, at = longer, at + 1


def load_suite(path: Path | None = None) -> Suite:
    """Read a file of attacks; the packaged one when absent.

    Raises:
        ConfigError: it cannot be read or breaks the format; the message names the key.
    """
    source = path or content_dir("prompts") / "attacks" / "attacks.yaml"
    return parse_model(Suite, read_yaml(source), source)
