"""The log of a training: one row of figures per step, on disk as soon as it is there."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Self

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["TrainLog", "listening"]

_LISTENER: ContextVar[Callable[[Mapping[str, float]], None] | None] = ContextVar(
    "listener", default=None
)


@contextmanager
def listening(listener: Callable[[Mapping[str, float]], None]) -> Iterator[None]:
    """Tell a listener of each row that any log takes in the meantime.

    Time belongs here and not into the rows: a resumed training writes the same rows again.
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class TrainLog:
    """Rows of numbers by name, kept in memory and appended to a JSONL file.

    Example:
        >>> log = TrainLog()
        >>> log.append(step=1, loss=0.7)
        >>> log.append(step=2, loss=0.5)
        >>> log.column("loss")
        [0.7, 0.5]
    """

    def __init__(self, path: Path | None = None) -> None:
        """Begin anew; an earlier log at `path` is replaced. Without a path nothing is written."""
        self.path = path
        self.rows: list[dict[str, float]] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")

    @classmethod
    def resume(cls, path: Path, step: int) -> Self:
        """Go on with an earlier log after `step`: later rows were those of an abandoned end."""
        kept = []
        if path.is_file():
            for line in path.read_bytes().splitlines():
                row = _row(line)
                if row is not None and row.get("step", 0) <= step:
                    kept.append(row)
        log = cls(path)
        for row in kept:
            log.append(**row)
        return log

    def append(self, **values: float) -> None:
        """Add a row."""
        self.rows.append(values)
        if self.path is not None:
            with self.path.open("ab") as file:
                file.write(orjson.dumps(values) + b"\n")
        listener = _LISTENER.get()
        if listener is not None:
            listener(values)

    def column(self, name: str) -> list[float]:
        """The values of one name, in the order of the rows that have it."""
        return [row[name] for row in self.rows if name in row]


def _row(line: bytes) -> dict[str, float] | None:
    """A row, or None for a line that a kill has cut."""
    try:
        row: dict[str, float] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row
