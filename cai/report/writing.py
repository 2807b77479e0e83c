"""Putting the pages of a report on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_page"]


def write_page(file: Path, content: bytes) -> None:
    """Put the whole file in place at once; folders are made.

    Raises:
        UsageError: it cannot be written.
    """
    half = file.with_name(f".{file.name}.half")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        half.write_bytes(content)
        half.replace(file)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise UsageError(f"Cannot write {file}: {error.strerror}. Name another file.") from error
