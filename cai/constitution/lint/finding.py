"""What a lint rule says, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Level", "Rule"]

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark on a constitution."""

    code: str
    """The rule, for example `C101`; see `cai.constitution.lint.catalogue`."""
    level: Level
    """An error spoils labels; a warning is advice."""
    principle_id: str
    """The principle it is about; empty when it is about the whole constitution."""
    message: str
    """What was found, and why it matters."""
    fix: str
    """What to do about it."""
    key: str = ""
    """Where: a key of the principle, or of the file, such as `judge` or `examples.0.better`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it stands in the catalogue."""

    code: str
    """Never given to another rule, so that `--ignore` keeps its meaning."""
    name: str
    """In a few words, for people."""
    what: str
    """What it finds, and at which level."""
    why: str
    """Why that matters."""
