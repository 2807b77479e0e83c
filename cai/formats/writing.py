"""What the writers of all layouts share: their context, and the parts of a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from cai.records import Pair, Prompt, Revision, Row

__all__ = [
    "Context",
    "Usable",
    "Write",
    "answer",
    "decided_pairs",
    "messages",
    "usable_revisions",
]


@dataclass(frozen=True, slots=True)
class Context:
    """What a writer needs besides the row, and where it counts what it leaves out.

    Args:
        principles: the text of each principle by its id.
        revisions: the last usable revision of each chain, or that of every round.
        left_out: reasons, each with the number of records or rows it kept out.
    """

    principles: Mapping[str, str] = field(default_factory=dict)
    revisions: Literal["final", "all"] = "final"
    left_out: Counter[str] = field(default_factory=Counter)


Write = Callable[["Row", Context], Iterator[dict[str, Any]]]
"""Yields the records of one row, as plain data."""


@dataclass(frozen=True, slots=True)
class Usable:
    """A usable revision: of which sample, and all usable ones of its chain up to it."""

    sample: int
    upto: tuple[Revision, ...]

    @property
    def revision(self) -> Revision:
        """The revision itself."""
        return self.upto[-1]


def usable_revisions(row: Row, which: Literal["final", "all"]) -> Iterator[Usable]:
    """Yield the last usable revision of each chain (`final`), or that of every round (`all`)."""
    for sample, chain in enumerate(row.revisions):
        usable = tuple(revision for revision in chain if revision.outcome == "revised")
        for last in range(1, len(usable) + 1):
            if which == "all" or last == len(usable):
                yield Usable(sample, usable[:last])


def decided_pairs(row: Row) -> Iterator[tuple[Pair, float]]:
    """Yield the pairs that are preferences, turned so that `first` won, with p ≥ ½."""
    for pair in row.pairs:
        if pair.is_preference:
            best = pair.oriented()
            assert best.soft_label is not None
            yield best, best.soft_label


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """The turns of a prompt as plain data."""
    return [{"role": message.role, "content": message.content} for message in prompt.messages]


def answer(text: str) -> list[dict[str, str]]:
    """An answer as the one message that follows the prompt."""
    return [{"role": "assistant", "content": text}]
