"""In which line of a constitution's file a finding has its cause."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cai.constitution.load import read_file
from cai.yaml import line_finder

if TYPE_CHECKING:
    from pathlib import Path

    from cai.constitution.lint.finding import Finding
    from cai.constitution.models import Constitution

__all__ = ["Places"]

_Location = tuple[int | str, ...]


class Places:
    """Finds lines, counted from 1.

    Of a principle of the file's own it is that of the key; of another one that of the entry under
    `override`, `include` or `extends` that changes the key or brings the principle.
    """

    def __init__(self, path: Path, constitution: Constitution) -> None:
        """Read the file once more, as it is written.

        Args:
            path: of the file.
            constitution: what was loaded from it.

        Raises:
            ConfigError: the file has changed and does not fit the format any more.
        """
        self._file = read_file(path)
        self._line = line_finder(path)
        self._origins = constitution.origins
        self._own = {p.id: i for i, p in enumerate(self._file.principles)}

    def line(self, finding: Finding) -> int | None:
        """The line; None where the file has no such place, as for a key that is missing."""
        key: _Location = tuple(
            int(part) if part.isdecimal() else part for part in finding.key.split(".") if part
        )
        if not finding.principle_id:
            return self._line(key)
        if finding.principle_id in self._own:
            return self._line(("principles", self._own[finding.principle_id], *key))
        return self._line(self._brought(finding.principle_id, key))

    def _brought(self, principle_id: str, key: _Location) -> _Location:
        """The entry that changes the key, or that brings the principle."""
        # Of several overrides the last one counts.
        for i, override in reversed(list(enumerate(self._file.override))):
            if key and fnmatchcase(principle_id, override.id) and key[0] in override.changes:
                return ("override", i, *key)
        origin = self._origins.get(principle_id, "")
        for i, include in enumerate(self._file.include):
            if origin == f"family {include.family}":
                return ("include", i)
        for i, parent in enumerate(self._file.extends):
            if parent.partition("@")[0] == origin.partition("@")[0]:
                return ("extends", i)
        if not origin:
            return ()
        # Parents that are named by paths do not tell their names; of a single one it is clear.
        return ("extends", 0) if len(self._file.extends) == 1 else ("extends",)
