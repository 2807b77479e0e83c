"""Answers that are no part of a run are kept apart from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.errors import UsageError

if TYPE_CHECKING:
    from cai.store import RunStore

__all__ = ["require_no_run"]


def require_no_run(store: RunStore, kept: str) -> None:
    """Refuse a store with rows, which is no place for further answers.

    Args:
        store: of the folder that is to keep them.
        kept: what is kept there, with its verb, such as `answers to test cases are`.

    Raises:
        UsageError: the folder holds a run.
    """
    if store.meta("config") is not None:
        raise UsageError(
            f"{store.folder} holds a run, and {kept} kept apart from it. Name another folder."
        )
