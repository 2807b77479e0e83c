"""The layouts that constitutions come from and go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cai.constitution.exchange import (
    cai_paper,
    icai,
    llm_swarm,
    markdown,
    open_character,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cai.constitution.exchange.draft import Beside, Draft, Written
    from cai.constitution.exchange.source import Source
    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle

__all__ = ["LAYOUTS", "Layout", "Spec"]

Layout = Literal[
    "cai-paper",
    "llm-swarm",
    "open-character",
    "open-character-jsonl",
    "text",
    "markdown",
    "icai",
]


@dataclass(frozen=True, slots=True)
class Spec:
    """How a layout is read and written."""

    shape: str
    """What a file looks like, for messages."""
    read: Callable[[Source], Draft]
    write: Callable[[Sequence[Principle], Beside, Constitution], Written]
    prefix: str
    """Begins the ids of principles that the file does not name."""
    holds: Literal["chats", "questions"] | None = None
    """What it holds besides principles."""


LAYOUTS: Mapping[Layout, Spec] = {
    "cai-paper": Spec(cai_paper.SHAPE, cai_paper.read, cai_paper.write, "cai-paper"),
    "llm-swarm": Spec(llm_swarm.SHAPE, llm_swarm.read, llm_swarm.write, "llm-swarm", holds="chats"),
    "open-character": Spec(
        open_character.SHAPE,
        open_character.read,
        open_character.write,
        "open-character",
        holds="questions",
    ),
    "open-character-jsonl": Spec(
        "the same as JSONL, with 'additional_questions'",
        open_character.read,
        open_character.write_jsonl,
        "open-character",
        holds="questions",
    ),
    "text": Spec(text.SHAPE, text.read, text.write, "text"),
    "markdown": Spec(markdown.SHAPE, markdown.read, markdown.write, "text"),
    "icai": Spec(icai.SHAPE, icai.read, icai.write, "icai"),
}
