"""What readers of foreign layouts hand over, and what writers get besides the principles."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cai.constitution.principle import Principle

__all__ = [
    "Beside",
    "Chat",
    "Draft",
    "Entry",
    "Question",
    "QuestionKind",
    "Unknown",
    "Votes",
    "Written",
]

Chat = tuple[tuple[str, str], ...]
"""The turns of a conversation, each a role and what was said."""
QuestionKind = Literal["questions", "additional_questions"]
Question = tuple[QuestionKind, str]
"""A question that a layout keeps with a principle, and the key under which it does."""


@dataclass(frozen=True, slots=True)
class Votes:
    """How often a principle chose as the annotator of reference did, over all comparisons."""

    reference: str
    """Name of that annotator."""
    agreed: int
    disagreed: int
    without: int
    """Comparisons in which one of the two has no preference."""

    @property
    def share(self) -> float | None:
        """Agreement where both have a preference, from 0 to 1; None when that never happens."""
        both = self.agreed + self.disagreed
        return self.agreed / both if both else None


@dataclass(frozen=True, slots=True)
class Entry:
    """A principle as the foreign file has it; what it does not have is empty."""

    where: str
    """Its place in the file, for example `constitutions[3]`."""
    text: str = ""
    critique: str = ""
    revise: str = ""
    judge: str = ""
    key: str = ""
    """The name that the file gives it."""
    group: str = ""
    """Heading above it; begins its id."""
    tags: tuple[str, ...] = ()
    weight: float = 1.0
    note: str = ""
    questions: tuple[Question, ...] = ()
    votes: Votes | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """All that a reader found."""

    entries: tuple[Entry, ...]
    chats: tuple[Chat, ...] = ()
    warnings: tuple[str, ...] = ()
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """What some layouts hold besides principles: chats, and questions by the principle's id."""

    chats: Sequence[Chat] = ()
    questions: Mapping[str, Sequence[Question]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """A file in a foreign layout, and the principles that are in it, in its order."""

    text: str
    principles: tuple[Principle, ...]
    warnings: tuple[str, ...] = ()


class Unknown:
    """Counts keys that a layout does not have, for one warning about all of them."""

    def __init__(self) -> None:
        self._keys: Counter[str] = Counter()

    def note(self, found: Mapping[str, object], known: Collection[str]) -> None:
        """Count the keys of an object that are not known."""
        self._keys.update(key[:40] for key in found if key not in known)

    def warnings(self) -> tuple[str, ...]:
        """One warning, or none."""
        if not self._keys:
            return ()
        keys = ", ".join(f"{key!r} ({counted(n, 'time')})" for key, n in self._keys.most_common(8))
        return (f"Not kept, as this layout has no such keys: {keys}.",)
