"""Taking a few of many, of each kind about as many."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

__all__ = ["spread"]

_Item = TypeVar("_Item")


def spread(
    items: Sequence[_Item], kind: Callable[[_Item], Hashable], limit: int | None
) -> list[_Item]:
    """The first of each kind, then the second of each, up to a limit; in the order of the items.

    A larger limit adds to a smaller one, so nothing is asked twice.
    """
    seen: dict[Hashable, int] = {}
    turns = []
    for item in items:
        turn = seen.get(kind(item), 0)
        seen[kind(item)] = turn + 1
        turns.append(turn)
    ranked = sorted(range(len(items)), key=lambda i: (turns[i], i))
    return [items[i] for i in sorted(ranked[:limit])]
