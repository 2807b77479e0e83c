"""One look over a whole prompt file before anything is spent on it."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.intake.lines import readable
from cai.intake.read import locate, read_prompts

if TYPE_CHECKING:
    from pathlib import Path

    from cai.intake.read import PromptFormat

__all__ = ["PromptsSummary", "count_prompts", "scan_prompts"]


@dataclass(frozen=True, slots=True)
class PromptsSummary:
    """What a prompt file holds.

    `rows` counts all prompts, `unique` the different ones; `sha256` is of the file's bytes as
    they lie on disk, 64 hexadecimal digits.
    """

    rows: int
    unique: int
    sha256: str


def count_prompts(path: str | Path, format: PromptFormat = "auto") -> PromptsSummary:
    """Read a whole file, so that its first broken row is found before anything is asked.

    Memory: 8 bytes per row for the ids and 1 more at the end (90 MB for ten million rows), beside
    what `read_prompts` needs.

    Raises:
        InputError: the first thing that is wrong with the file.
    """
    ids, digest = scan_prompts(path, format)
    return PromptsSummary(len(ids), _distinct(ids), digest)


def scan_prompts(path: str | Path, format: PromptFormat = "auto") -> tuple[array[int], str]:
    """The ids of all prompts of a file, as numbers in its order, and the SHA-256 of its bytes.

    Raises:
        InputError: the first thing that is wrong with the file.
    """
    found = locate(path)
    ids = array("Q", (int(prompt.id, 16) for prompt in read_prompts(path, format)))
    with readable(found), found.open("rb") as file:
        return ids, hashlib.file_digest(file, "sha256").hexdigest()


def _distinct(ids: array[int]) -> int:
    import numpy as np

    values = np.frombuffer(ids, dtype=np.uint64)
    values.sort()
    return 1 + int(np.count_nonzero(values[1:] != values[:-1]))
