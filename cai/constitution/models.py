"""A resolved constitution: principles with an identity, ready to be used."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from cai.constitution.principle import Model, Principle
from cai.hashing import content_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Aggregate", "Constitution", "Principle", "chosen_by"]

Aggregate = Literal["mean", "median", "weighted", "worst", "priority"]
"""How probabilities under several principles become one; see `cai.judge.ensemble.pool`."""

_CACHED = ("hash", "_by_id", "_levels", "ranked")


def chosen_by(pattern: str, principle: Principle) -> bool:
    """Whether an entry such as `harmlessness.*` or `tag:honesty` means a principle."""
    if pattern.startswith("tag:"):
        return any(fnmatchcase(tag, pattern[4:]) for tag in principle.tags)
    return fnmatchcase(principle.id, pattern)


class Constitution(Model):
    """A resolved constitution: all principles in place, sorted by id, ready to be used."""

    name: str
    version: str
    summary: str
    principles: tuple[Principle, ...] = Field(min_length=1)
    preamble: str = ""
    priorities: tuple[str, ...] = ()
    aggregate: Aggregate | None = None
    origins: dict[str, str] = Field(default_factory=dict)
    """Where each principle comes from, by id: `family tone`, `harmless-helpful@1.0.0`, `own`."""

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the meaning: what a model or a draw can notice.

        The order of principles, their notes and the summary, comments and YAML layout do not
        count; neither do name and version, which only say what the meaning is called. Nor does it
        matter how the principles came together.
        """
        principles = [p.meaning() for p in sorted(self.principles, key=lambda p: p.id)]
        ordered = [list(group) for group in self._groups() if group]
        later = {
            "preamble": self.preamble,
            "aggregate": self.aggregate,
            # With one level there is no order.
            "priorities": ordered if len(ordered) > 1 else None,
        }
        # Left out where they say nothing, so that older constitutions keep their hash.
        said = {key: value for key, value in later.items() if value}
        return content_hash([*principles, said] if said else principles)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy whose hash is its own: pydantic would carry the cached one over."""
        copied = super().model_copy(update=update, deep=deep)
        for cached in _CACHED:
            copied.__dict__.pop(cached, None)
        return copied

    @property
    def label(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @cached_property
    def ranked(self) -> tuple[Principle, ...]:
        """The principles by priority, then weight, then id."""
        return tuple(sorted(self.principles, key=lambda p: (self._levels[p.id], -p.weight, p.id)))

    def level(self, principle_id: str) -> int:
        """The place of a principle in `priorities`, 0 for the highest; last where none names it."""
        return self._levels[principle_id]

    def __getitem__(self, principle_id: str) -> Principle:
        """The principle with this id.

        Raises:
            KeyError: there is none.
        """
        return self._by_id[principle_id]

    def __contains__(self, principle_id: object) -> bool:
        """Whether there is a principle with this id."""
        return principle_id in self._by_id

    def only(self, kept: tuple[Principle, ...]) -> Constitution | None:
        """The same with only these of its principles; None when there are none."""
        if len(kept) == len(self.principles):
            return self
        return self.model_copy(update={"principles": kept}) if kept else None

    def _groups(self) -> list[list[str]]:
        """Ids by level, each in the first entry that names it."""
        groups: list[list[str]] = [[] for _ in range(len(self.priorities) + 1)]
        for p in sorted(self.principles, key=lambda p: p.id):
            found = (i for i, one in enumerate(self.priorities) if chosen_by(one, p))
            groups[next(found, len(self.priorities))].append(p.id)
        return groups

    @cached_property
    def _by_id(self) -> dict[str, Principle]:
        return {p.id: p for p in self.principles}

    @cached_property
    def _levels(self) -> dict[str, int]:
        return {one: level for level, ids in enumerate(self._groups()) for one in ids}
