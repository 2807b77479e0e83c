"""The ledger on disk: `ledger.jsonl`, which only grows, and the results under their hashes.

```
drift/
├── ledger.jsonl       one checkpoint in a line
└── objects/<sha256>.json   results of evaluations, and constitutions
```

What an entry refers to is on disk before its line is. A line that a kill has cut is no entry: it is
passed over, and the next one takes its place.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, BinaryIO

import orjson
from pydantic import ValidationError

from cai.constitution.atomic import write_atomically
from cai.constitution.models import Constitution
from cai.drift.entry import Entry
from cai.errors import StoreError, UsageError
from cai.evaluate.results import Result
from cai.loading import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cai.drift.entry import Known

__all__ = ["Ledger"]

_FILE, _OBJECTS = "ledger.jsonl", "objects"


class Ledger:
    """The evaluated checkpoints of a folder, oldest first."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made by the first entry."""
        self.folder = folder
        self.path = folder / _FILE

    def entries(self) -> tuple[Entry, ...]:
        """All entries in the order in which they were added.

        Raises:
            StoreError: a line is no entry.
        """
        return tuple(self._parse(self._whole_lines())) if self.path.is_file() else ()

    def add(self, known: Known, results: Sequence[Result]) -> Entry | None:
        """Add a checkpoint with its results, durably.

        Returns:
            The entry; None where the newest one is the same checkpoint with the same results.

        Raises:
            UsageError: the name is taken, or the folder cannot be written.
            StoreError: a line of the ledger is no entry.
        """
        digests: dict[str, str] = {one.kind: self._put(_bytes(one)) for one in results}
        if known.whole is not None:
            self._put_as(known.whole.hash, known.whole.model_dump_json(indent=2).encode())
        entry = replace(known.entry, results=digests)
        with self._open() as file:
            before = tuple(self._parse(self._whole_lines()))
            if before and _same(before[-1], entry):
                return None
            if entry.name in {one.name for one in before}:
                raise UsageError(
                    f"{self.path} has an entry '{entry.name}' already, and entries are never "
                    "changed. Choose another name with --name."
                )
            # What a kill has left of a line is no entry and must not join the next one.
            file.truncate(sum(len(line) for line in self._whole_lines()))
            file.seek(0, os.SEEK_END)
            file.write(orjson.dumps(asdict(entry)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return entry

    def results(self, entry: Entry) -> tuple[Result, ...]:
        """The results of an entry.

        Raises:
            StoreError: one is missing or is not what was added.
        """
        found = []
        for digest in entry.results.values():
            data = self._get(digest)
            if hashlib.sha256(data).hexdigest() != digest:
                raise StoreError(
                    f"{self._place(digest)} is not what was added. Restore it from a copy; the "
                    "ledger is of no use without it."
                )
            found.append(load(Result, data))
        return tuple(found)

    def constitution(self, entry: Entry) -> Constitution | None:
        """The constitution that the data of an entry were made under; None where it is not kept.

        Raises:
            StoreError: it is not what was added.
        """
        digest = entry.constitution_hash
        if not digest or not self._place(digest).is_file():
            return None
        found = load(Constitution, self._get(digest))
        if found.hash != digest:
            raise StoreError(f"{self._place(digest)} is not what was added. Restore it.")
        return found

    def _put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self._put_as(digest, data)
        return digest

    def _put_as(self, digest: str, data: bytes) -> None:
        if not self._place(digest).is_file():
            write_atomically(self._place(digest), data.decode())

    def _get(self, digest: str) -> bytes:
        try:
            return self._place(digest).read_bytes()
        except OSError as error:
            raise StoreError(
                f"{self._place(digest)} cannot be read: {error.strerror}. It belongs to "
                f"{self.path}: restore it from a copy."
            ) from error

    def _place(self, digest: str) -> Path:
        if not digest.isalnum():  # The ledger is a file that anyone may have written.
            raise StoreError(f"{self.path}: '{digest[:80]}' is no hash. Restore the ledger.")
        return self.folder / _OBJECTS / f"{digest}.json"

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        """The file for one writer at a time; the system lets go when the process ends."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
        except OSError as error:
            raise UsageError(
                f"Cannot write {self.path}: {error.strerror}. Check the disk and the permissions."
            ) from error

    def _whole_lines(self) -> list[bytes]:
        lines = self.path.read_bytes().splitlines(keepends=True)
        return [line for line in lines if line.endswith(b"\n")]

    def _parse(self, lines: list[bytes]) -> Iterator[Entry]:
        for number, line in enumerate(lines, 1):
            try:
                yield load(Entry, line)
            except ValidationError as error:
                raise StoreError(
                    f"{self.path}:{number} is no entry: {error.error_count()} keys are wrong. It "
                    "must be as cai drift add writes it. Restore the line from a copy."
                ) from error


def _bytes(result: Result) -> bytes:
    return orjson.dumps(asdict(result), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _same(one: Entry, other: Entry) -> bool:
    return replace(one, name="", added="") == replace(other, name="", added="")
