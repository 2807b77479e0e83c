"""Some judged pairs of a run, evenly spread over those that may leave it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from cai.store import rows_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.records import Pair, Prompt
    from cai.store import RunStore

__all__ = ["spread_pairs"]


def spread_pairs(run: RunStore, limit: int) -> list[tuple[Prompt, Pair]]:
    """Judged pairs of train and dev, evenly spread; fewer are the first of more.

    Held-out texts are for people and the final checks, and are not copied to a second store.

    Args:
        run: to read.
        limit: most pairs.

    Raises:
        StoreError: the run is a shard.
    """
    total = sum(1 for _ in _judged(run))
    bits = max(1, (total - 1).bit_length())
    # Halves, then quarters, then eighths: places in the order of their digits read backwards.
    mirrored = (int(f"{i:0{bits}b}"[::-1], 2) for i in range(2**bits))
    order: dict[int, int] = {}
    for place in mirrored:
        if place < total:
            order[place] = len(order)
        if len(order) == min(limit, total):
            break
    chosen = ((order[i], one) for i, one in enumerate(_judged(run)) if i in order)
    return [one for _, one in sorted(chosen, key=lambda found: found[0])]


def _judged(run: RunStore) -> Iterator[tuple[Prompt, Pair]]:
    seen: set[str] = set()
    for row, _ in chain(rows_for(run, "training"), rows_for(run, "calibration")):
        for pair in row.pairs:
            if pair.verdict is not None and pair.id not in seen:
                seen.add(pair.id)
                yield row.prompt, pair
