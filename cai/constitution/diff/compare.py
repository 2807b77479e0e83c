"""Comparing two constitutions, and turning one into the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.constitution.diff.records import Diff, FieldChange, OriginChange, PrincipleChange, Side
from cai.constitution.models import Constitution
from cai.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cai.constitution.principle import Principle

__all__ = ["apply", "diff"]

_ELSEWHERE = ("principles", "origins")
_WORDINGS = ("text", "critique", "revise", "judge")


def diff(before: Constitution, after: Constitution) -> Diff:
    """Compare two constitutions as they are used, with every principle in place.

    A principle that is gone and one that is new count as one that was renamed when they have the
    same text, critique, revise and judge.
    """
    old, new = {p.id: p for p in before.principles}, {p.id: p for p in after.principles}
    renamed = _renamed(
        [p for one, p in old.items() if one not in new],
        [p for one, p in new.items() if one not in old],
    )
    kept = {one: one for one in old if one in new} | renamed
    pairs = (PrincipleChange(old[one], new[kept[one]]) for one in sorted(kept))
    arrived = set(kept.values())
    return Diff(
        before=Side.of(before),
        after=Side.of(after),
        whole=tuple(_whole(before, after)),
        added=tuple(new[one] for one in sorted(new) if one not in arrived),
        removed=tuple(old[one] for one in sorted(old) if one not in kept),
        changed=tuple(pair for pair in pairs if pair.before != pair.after),
        origins=tuple(_origins(before.origins, after.origins)),
        reordered=_order(before, kept) != _order(after, {one: one for one in arrived}),
    )


def apply(constitution: Constitution, change: Diff) -> Constitution:
    """Make the changes of a diff.

    Args:
        constitution: the one that the diff was taken from, or one that is the same in all that the
            diff changes.
        change: from `diff`.

    Returns:
        The other one, principles sorted by id.

    Raises:
        ConfigError: what the diff changes is not as it was.
    """
    for field in change.whole:
        _require(getattr(constitution, field.field) == field.before, f"'{field.field}'", change)
    principles = {p.id: p for p in constitution.principles}
    for principle in (*change.removed, *(c.before for c in change.changed)):
        same = principles.pop(principle.id, None) == principle
        _require(same, f"principle '{principle.id}'", change)
    for principle in (*change.added, *(c.after for c in change.changed)):
        _require(principle.id not in principles, f"principle '{principle.id}'", change)
        principles[principle.id] = principle
    origins = dict(constitution.origins)
    for origin in change.origins:
        same = origins.pop(origin.id, None) == origin.before
        _require(same, f"the origin of '{origin.id}'", change)
        if origin.after is not None:
            origins[origin.id] = origin.after
    update: dict[str, Any] = {field.field: field.after for field in change.whole}
    update |= {"principles": tuple(principles[one] for one in sorted(principles))}
    return constitution.model_copy(update={**update, "origins": origins})


def _renamed(gone: Iterable[Principle], come: Iterable[Principle]) -> dict[str, str]:
    """Id before → id after, for principles whose wording is the same."""
    waiting: dict[tuple[str, ...], list[str]] = {}
    for principle in sorted(come, key=lambda p: p.id):
        waiting.setdefault(_wording(principle), []).append(principle.id)
    found = {}
    for principle in sorted(gone, key=lambda p: p.id):
        same = waiting.get(_wording(principle))
        if same:
            found[principle.id] = same.pop(0)
    return found


def _wording(principle: Principle) -> tuple[str, ...]:
    return tuple(getattr(principle, field) for field in _WORDINGS)


def _whole(before: Constitution, after: Constitution) -> Iterable[FieldChange]:
    for field in Constitution.model_fields:
        old, new = getattr(before, field), getattr(after, field)
        if field not in _ELSEWHERE and old != new:
            yield FieldChange(field, old, new)


def _origins(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[OriginChange]:
    for one in sorted(before.keys() | after.keys()):
        if before.get(one) != after.get(one):
            yield OriginChange(one, before.get(one), after.get(one))


def _order(constitution: Constitution, kept: Mapping[str, str]) -> list[list[str]]:
    """Groups of principles, highest first, by their ids after the change."""
    groups: dict[int, list[str]] = {}
    for one, later in kept.items():
        groups.setdefault(constitution.level(one), []).append(later)
    return [sorted(groups[level]) for level in sorted(groups)]


def _require(holds: bool, what: str, change: Diff) -> None:
    if not holds:
        raise ConfigError(
            f"The changes from {change.before.label} to {change.after.label} do not fit: {what} is "
            f"not as it is in {change.before.label}. Apply them to that version, or compare again."
        )
