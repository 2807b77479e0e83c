"""In which order items are shown, which of them go to everybody, and which come twice."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from cai.hashing import unit_interval
from cai.validation.records import item_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.config import ValidationConfig
    from cai.validation.records import Item

__all__ = ["arrange"]

_GAP = 20
"""Places between an item and its repetition, as its annotator sees them: out of mind by then."""

_SHARED = 30
"""Fewest items that all annotators label, as far as there are so many: agreement between people
and the alternative annotator test say little with fewer."""


def arrange(drawn: Sequence[Item], settings: ValidationConfig, seed: int) -> list[Item]:
    """Shuffle the items, mark the shared ones and show some of them a second time.

    Everything goes by hashes of the pairs, so that strata are mixed, a smaller plan's choices are
    mostly kept by a larger one, and no annotator can tell anything from a place.

    Args:
        drawn: one item per pair.
        settings: overlap, repeats and annotators.
        seed: of the draw.
    """
    shared = _first(drawn, seed, "shared", _shared(len(drawn), settings))
    items = [
        replace(item, shared=item.item_id in shared) for item in _by_hash(drawn, seed, "place")
    ]
    # Of the items that are not shared, an annotator sees only some.
    seen = len(shared) + (len(items) - len(shared)) / settings.annotators
    gap = math.ceil(_GAP * len(items) / seen) if items else 0
    return _with_repeats(items, round(settings.repeats * len(items)), gap, seed)


def _shared(items: int, settings: ValidationConfig) -> int:
    count = round(settings.overlap * items)
    # An overlap of 0 is a wish, not an oversight.
    wanted = settings.overlap > 0 and settings.annotators > 1
    return min(items, max(count, _SHARED)) if wanted else count


def _with_repeats(items: list[Item], count: int, gap: int, seed: int) -> list[Item]:
    """Put `count` items in a second time, at least `gap` places later where there is room."""
    places = {item.item_id: place for place, item in enumerate(items)}
    roomy = _by_hash(items[: max(len(items) - gap, 0)], seed, "repeat")
    # Where there is no room, those that come first get the farthest from themselves.
    twice = [*roomy, *items[len(roomy) :]][:count]
    keyed = [((place, 0.0), item) for place, item in enumerate(items)]
    for item in twice:
        where = unit_interval(seed, "again", item.item_id)
        room = max(len(items) - gap - places[item.item_id], 1)
        after = min(places[item.item_id] + gap + int(where * room), len(items)) - 1
        again = replace(item, item_id=item_id(item.item_id, repeat=True), repeat=True)
        keyed.append(((after, where), again))
    return [item for _, item in sorted(keyed, key=lambda pair: pair[0])]


def _first(items: Sequence[Item], seed: int, what: str, count: int) -> set[str]:
    return {item.item_id for item in _by_hash(items, seed, what)[:count]}


def _by_hash(items: Sequence[Item], seed: int, what: str) -> list[Item]:
    return sorted(items, key=lambda item: unit_interval(seed, what, item.item_id))
