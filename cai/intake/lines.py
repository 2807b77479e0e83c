"""Numbered lines of a text file, plain or gzip, read one at a time."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from cai.errors import InputError
from cai.intake.rows import broken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Line", "decoded", "numbered_bytes", "numbered_lines", "readable"]

Line = tuple[int, str]
"""The number of a line, from 1, and its text with its line end."""

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


def numbered_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a UTF-8 file; a byte order mark at its start is dropped.

    Memory: the longest line. Gzip is known by its first two bytes, whatever the file is called.

    Raises:
        InputError: the file cannot be read, is a damaged gzip file or is not UTF-8.
    """
    for number, line in numbered_bytes(path):
        yield number, decoded(line, path, number)


def numbered_bytes(path: Path) -> Iterator[tuple[int, bytes]]:
    """The same as bytes, for whoever goes on after a line that is not UTF-8.

    Raises:
        InputError: the file cannot be read or is a damaged gzip file.
    """
    with readable(path), _binary(path) as file:
        for number, line in enumerate(file, 1):
            yield number, line.removeprefix(_BOM) if number == 1 else line


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the system says about an unreadable file into an `InputError`."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{path}: the gzip file is damaged or cut short ({error}). "
            "Allowed: a whole gzip file or plain text. Copy or download the file again."
        ) from error
    except OSError as error:
        raise InputError(
            f"{path}: the file cannot be read ({error.strerror or error}). "
            "Allowed: a regular file that you may read. Check its path and permissions."
        ) from error


def _binary(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP_MAGIC
    return cast("IO[bytes]", gzip.open(path, "rb")) if compressed else path.open("rb")


def decoded(line: bytes, path: Path, number: int) -> str:
    """A line as text.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise broken(
            (path, number),
            f"byte 0x{line[error.start]:02x} at offset {error.start} of the line",
            "UTF-8 text",
            "Save the file as UTF-8 (for example: iconv -f LATIN1 -t UTF-8).",
        ) from error
