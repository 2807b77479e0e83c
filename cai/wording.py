"""Numbers and lists in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["counted", "listed"]


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`: a number and its noun, in the plural unless it is one.

    Args:
        number: how many.
        noun: what, in the singular; its plural ends with an s.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Iterable[str]) -> str:
    """`one, two, three`; `none` where there are none."""
    return ", ".join(words) or "none"
