"""Numbers in sentences."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`: a number and its noun, in the plural unless it is one.

    Args:
        number: how many.
        noun: what, in the singular; its plural ends with an s.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
