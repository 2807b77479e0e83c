"""Inserting many lines with few statements.

Python lets go of its lock for every statement, and whoever does has to win it back from an event
loop that is busy: so a statement costs the more, the more there is to do elsewhere.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

__all__ = ["insert_lines", "insert_statement", "slices"]

_MANY, _SOME = 256, 64
"""Statements insert 256 lines, or any number up to 64: so SQLite's prepared statements are used
again, and what comes in one burst of a run goes into one statement."""


def insert_lines(
    connection: sqlite3.Connection, into: str, lines: Sequence[tuple[Any, ...]]
) -> None:
    """Insert lines into a table, in their order.

    Args:
        connection: inside a transaction.
        into: the statement up to and including `VALUES`.
        lines: of one length, at most 100 values each.
    """
    for part in slices(len(lines)):
        some = lines[part]
        statement = insert_statement(into, len(some), len(some[0]))
        connection.execute(statement, [value for line in some for value in line])


def slices(count: int) -> Iterator[slice]:
    """Cut so many lines into parts that one statement can insert."""
    start = 0
    while start < count:
        rest = count - start
        size = _MANY if rest >= _MANY else min(rest, _SOME)
        yield slice(start, start + size)
        start += size


@cache
def insert_statement(into: str, lines: int, columns: int) -> str:
    """The whole statement, with a mark for each value."""
    line = f"({', '.join('?' * columns)})"
    return f"{into} {', '.join([line] * lines)}"
