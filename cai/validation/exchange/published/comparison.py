"""What a file of comparisons is read into."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cai.hashing import content_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cai.records import Prompt

__all__ = ["Comparison", "Published", "Vote", "compared"]

Side = Literal["chosen", "rejected", "tie"]


@dataclass(frozen=True, slots=True)
class Vote:
    """One annotator's choice. Without a name it is that of whoever made the file."""

    side: Side = "chosen"
    annotator: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers to a prompt, without the blanks around them.

    `chosen` is the one that most votes name; where they are even, that says nothing. `models` are
    those that wrote `chosen` and `rejected`, where the file tells. `turned` says that the file has
    `rejected` first.
    """

    prompt: Prompt
    chosen: str
    rejected: str
    votes: tuple[Vote, ...] = (Vote(),)
    models: tuple[str, str] | None = None
    turned: bool = False

    @property
    def label(self) -> Literal["first", "second", "tie"]:
        """What most votes say, by the places that the answers have in the file."""
        count = Counter(vote.side for vote in self.votes)
        if count["chosen"] == count["rejected"] or count["tie"] > count["chosen"]:
            return "tie"
        return "second" if self.turned else "first"

    @property
    def answers(self) -> tuple[str, str]:
        """Both in an order drawn by hash, which does not tell which one was chosen."""
        first, second = sorted(
            (self.chosen, self.rejected), key=lambda text: content_hash([self.prompt.id, text])
        )
        return first, second


@dataclass(frozen=True, slots=True)
class Published:
    """What a file holds: how many rows, what can be used of them, and why the others cannot."""

    read: int
    comparisons: tuple[Comparison, ...]
    left_out: Mapping[str, int]
    format: str = ""


def compared(
    prompt: Prompt,
    first: str,
    second: str,
    votes: Iterable[tuple[str, Literal["first", "second", "tie"]]],
    models: tuple[str, str] | None = None,
) -> Comparison | str:
    """A comparison of two answers as a file lists them, or why it is none.

    Args:
        prompt: what both answer.
        first: the one that the file has first.
        second: the other.
        votes: annotator and choice; an empty name stands for whoever made the file.
        models: that wrote first and second.
    """
    first, second, given = first.strip(), second.strip(), tuple(votes)
    if not first or not second:
        return "an answer is empty"
    if first == second:
        return "the answers are equal"
    if not given:
        return "nobody chose"
    count = Counter(choice for _, choice in given)
    turned = count["second"] > count["first"]
    sides: dict[str, Side] = {"first": "chosen", "second": "rejected", "tie": "tie"}
    if turned:
        first, second, models = second, first, models and (models[1], models[0])
        sides = {"first": "rejected", "second": "chosen", "tie": "tie"}
    kept = tuple(Vote(sides[choice], who) for who, choice in given)
    return Comparison(prompt, first, second, kept, models, turned)
