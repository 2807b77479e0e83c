"""The section about prompts: the file, and further files that are mixed in."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cai.config.section import ADDED, RUNTIME, Section

__all__ = ["MixConfig", "PromptsConfig"]

_Format = Literal["auto", "jsonl", "csv", "txt", "parquet", "hh-rlhf"]
_Word = Annotated[str, Field(min_length=1, max_length=80)]


class MixConfig(Section):
    """A further prompt file, mixed in at a set share."""

    path: str
    """A file, as `prompts.path`."""
    format: _Format = "auto"
    """How to read it, as `prompts.format`."""
    share: float = Field(gt=0.0, lt=1.0)
    """Share of the run's prompts that come from it; exact to one prompt at any limit."""
    tags: tuple[_Word, ...] = ()
    """Tags that its prompts get, beside their own."""
    principles: tuple[_Word, ...] = ()
    """Tags of principles. Prompts that carry all `tags` are critiqued, revised and judged under
    principles with one of these tags only; under all principles when absent."""

    @model_validator(mode="after")
    def _restricted_prompts_are_known_by_their_tags(self) -> Self:
        if self.principles and not self.tags:
            raise ValueError(
                "principles needs tags, by which the prompts are known later. Add tags, such as "
                "[helpful]"
            )
        return self


class PromptsConfig(Section):
    """Where the prompts come from."""

    path: str
    """A file, relative to the config: .jsonl, .csv, .txt, .parquet, or hh-rlhf .jsonl.gz; or
    `starter` for the prompts that ship with the toolkit."""
    format: _Format = "auto"
    """How to read the file; `auto` goes by its name and first row."""
    limit: int | None = Field(default=None, ge=1, json_schema_extra=RUNTIME)
    """Uses only the first so many prompts. May be raised later: the run goes on."""
    mix: tuple[MixConfig, ...] = Field(default=(), json_schema_extra=ADDED)
    """Further prompt files at set shares, for example helpful prompts beside harmful ones."""

    @model_validator(mode="after")
    def _shares_leave_room(self) -> Self:
        taken = sum(entry.share for entry in self.mix)
        if taken > 1.0 - 1e-9:
            raise ValueError(
                f"the shares in mix add up to {taken:g}, and nothing is left for `path`. They must "
                "stay below 1"
            )
        return self
