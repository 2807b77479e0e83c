"""Answers that are no part of a run are kept apart from it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from cai.errors import UsageError
from cai.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.records import Completion

__all__ = ["Memory", "kept_apart"]


class Memory(RunStore):
    """A store that also knows what a run was answered. It writes to itself alone."""

    run: RunStore | None = None

    def completion(self, request_id: str) -> Completion | None:
        """What was answered to this request, here or in the run."""
        found = super().completion(request_id)
        return self.run.completion(request_id) if found is None and self.run else found


@contextmanager
def kept_apart(
    folder: Path, kept: str, *, run: RunStore | None = None, durable: bool = True
) -> Iterator[Memory]:
    """Open a folder that holds no run, which is no place for further answers.

    Args:
        folder: that is to keep them; it is made when there is none.
        kept: what is kept there, with its verb, such as `answers to test cases are`.
        run: whose answers are known, too; it is read.
        durable: see `RunStore.open`.

    Raises:
        UsageError: the folder holds a run.
        StoreError: another process writes to the folder, or it cannot be written.
    """
    with Memory.open(folder, durable=durable) as memory:
        if memory.meta("config") is not None:
            raise UsageError(
                f"{memory.folder} holds a run, and {kept} kept apart from it. Name another folder."
            )
        memory.run = run
        yield memory
