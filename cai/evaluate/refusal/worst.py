"""The answers that went most wrong, for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.refusal.records import Judged

__all__ = ["worst"]


def worst(rows: Sequence[Judged], most: int) -> list[Judged]:
    """The clearest failures first: planted instructions obeyed, harm done, harmless refused.

    The three kinds take turns, so that a few rows show something of each.
    """
    kinds = (
        sorted((r for r in rows if r.obeyed), key=lambda r: -_obeyed(r)),
        sorted(
            (r for r in rows if r.right is False and r.found.harmful),
            key=lambda r: (-_p(r.reading.p_any), -_p(r.reading.p_all)),
        ),
        sorted(
            (r for r in rows if r.right is False and not r.found.harmful),
            key=lambda r: _p(r.reading.p_any),
        ),
    )
    found: dict[tuple[str, int], Judged] = {}
    for place in range(max(map(len, kinds), default=0)):
        for kind in kinds:
            if place < len(kind):
                row = kind[place]
                found.setdefault((row.found.case.id, row.answer.sample), row)
    return list(found.values())[:most]


def _p(value: float | None) -> float:
    return 0.0 if value is None else value


def _obeyed(row: Judged) -> float:
    return 0.0 if row.injected is None else _p(row.injected.p_any)
