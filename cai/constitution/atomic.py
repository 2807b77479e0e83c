"""Writing files so that a crash leaves the old one or the new one, and never half of one."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cai.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["alone_in", "staged", "sweep", "write_atomically"]


def write_atomically(path: Path, text: str) -> None:
    """Write a file in one step; folders are made.

    Raises:
        UsageError: it cannot be written.
    """
    with staged(path, text) as (_, put):
        put()


@contextmanager
def staged(path: Path, text: str) -> Iterator[tuple[Path, _Put]]:
    """Write a text beside a file, to be looked at before it is moved there. Folders are made.

    Yields the file beside, and a function that moves it; it is gone afterwards either way.

    Raises:
        UsageError: it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            yield beside, _Put(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"Cannot write {path}: {error.strerror}. Check the disk and the permissions."
        ) from error


def sweep(folder: Path) -> None:
    """Remove what killed processes have left. Only for whoever is alone in the folder.

    Raises:
        UsageError: a file cannot be removed.
    """
    for beside in folder.glob(".*.yaml.????????.new"):
        try:
            beside.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"Cannot remove {beside}: {error.strerror}. Remove it.") from error


@contextmanager
def alone_in(folder: Path, *, create: bool = False) -> Iterator[None]:
    """Keep others out who ask in the same way. The system lets go when the process ends.

    Args:
        folder: where they would write.
        create: whether to make it.

    Raises:
        UsageError: somebody is in there, or the folder cannot be opened.
    """
    try:
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UsageError(f"Cannot open {folder}: {error.strerror}. Name a folder.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UsageError(
            f"Another release is being written to {folder}. Start again when it has ended."
        ) from error
    else:
        yield
    finally:
        os.close(handle)


class _Put:
    """Moves a staged file into its place."""

    def __init__(self, beside: Path, path: Path) -> None:
        self._beside, self._path = beside, path

    def __call__(self) -> None:
        self._beside.replace(self._path)
        # Without this a power cut can undo the move after the next one was made.
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
