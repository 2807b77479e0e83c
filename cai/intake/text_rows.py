"""Plain text: one prompt per line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.intake.lines import numbered_lines
from cai.intake.rows import prompt_of_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.records import Prompt

__all__ = ["read_txt"]


def read_txt(path: Path) -> Iterator[Prompt]:
    """Yield one prompt per line, without the blanks around it; blank lines are skipped.

    Raises:
        InputError: the file cannot be read or is not UTF-8.
    """
    for number, line in numbered_lines(path):
        if text := line.strip():
            yield prompt_of_text(text, (path, number))
