"""Rows behind the figures of a result, as their evaluation has kept them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.evaluate.results import Result

__all__ = ["rows_of", "rows_of_subject"]

Row = dict[str, Any]


def rows_of(details: Mapping[str, Any], name: str, *keys: str) -> list[Row]:
    """The rows under a name; none where they are not there, or lack a key: files may be older."""
    found = details.get(name)
    if not isinstance(found, list):
        return []
    whole = all(isinstance(row, dict) and all(key in row for key in keys) for row in found)
    return found if whole else []


def rows_of_subject(result: Result, name: str, subject: str, *keys: str) -> list[Row]:
    """The same, of one subject."""
    rows = rows_of(result.details, name, "subject", *keys)
    return [row for row in rows if row["subject"] == subject]
