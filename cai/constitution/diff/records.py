"""What a comparison of two constitutions holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.constitution.principle import Principle

if TYPE_CHECKING:
    from cai.constitution.models import Constitution

__all__ = ["Diff", "FieldChange", "OriginChange", "PrincipleChange", "Side"]

_NAMES = ("name", "version")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two constitutions."""

    label: str
    hash: str

    @classmethod
    def of(cls, constitution: Constitution) -> Side:
        """What a constitution is called, and its hash."""
        return cls(constitution.label, constitution.hash)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field whose value differs."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class PrincipleChange:
    """A principle that both have and that is not the same in both."""

    before: Principle
    after: Principle

    @property
    def renamed(self) -> bool:
        """Whether it has another id."""
        return self.before.id != self.after.id

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """What differs but the id, in the order of the fields of a principle."""
        pairs = (
            (f, getattr(self.before, f), getattr(self.after, f)) for f in Principle.model_fields
        )
        return tuple(FieldChange(f, a, b) for f, a, b in pairs if a != b and f != "id")


@dataclass(frozen=True, slots=True)
class OriginChange:
    """Where the principle with this id comes from; None where there is no such principle."""

    id: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Diff:
    """Everything that turns one constitution into another; `apply` does so."""

    before: Side
    after: Side
    whole: tuple[FieldChange, ...]
    """Fields of the constitution itself, its name and version among them."""
    added: tuple[Principle, ...]
    removed: tuple[Principle, ...]
    changed: tuple[PrincipleChange, ...]
    """Principles with other words, weights or ids, sorted by their id before."""
    origins: tuple[OriginChange, ...]
    reordered: bool
    """Whether priorities put principles that both have into another order."""

    @property
    def empty(self) -> bool:
        """Whether nothing differs. Name and version only say what the rest is called."""
        named = all(change.field in _NAMES for change in self.whole)
        return named and not (self.added or self.removed or self.changed or self.origins)

    @property
    def identical(self) -> bool:
        """Whether nothing differs, name and version included."""
        return self.empty and not self.whole

    @property
    def same_meaning(self) -> bool:
        """Whether a model or a draw can tell no difference; see `Constitution.hash`."""
        return self.before.hash == self.after.hash

    @property
    def reparented(self) -> tuple[OriginChange, ...]:
        """Principles that both have under one id, from another family or parent."""
        elsewhere = {p.id for p in (*self.added, *self.removed)}
        for change in self.changed:
            elsewhere |= {change.before.id, change.after.id} if change.renamed else set()
        return tuple(origin for origin in self.origins if origin.id not in elsewhere)
