"""The files that a constitution is made of: its own, those of its parents, and families."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cai.constitution.families import family_folders
from cai.constitution.load import parent_file, read_file
from cai.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Source", "file_sha256", "sources"]


@dataclass(frozen=True, slots=True)
class Source:
    """One file."""

    kind: Literal["constitution", "parent", "family"]
    name: str
    """`name@version`, or the name of a family."""
    sha256: str
    """Of its bytes, as 64 hexadecimal digits."""


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}. Check the path.") from error


def sources(
    path: Path, *, root: Path | None = None, principles_root: Path | None = None
) -> tuple[Source, ...]:
    """The constitution's own file first, then each parent and family once, sorted by name.

    Args:
        path: of a constitution that can be loaded.
        root: see `cai.constitution.load_constitution`.
        principles_root: see there.

    Raises:
        ConfigError: a file cannot be read, or a parent is unknown.
    """
    found: dict[Path, Source] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file.resolve() in found:
            continue
        written = read_file(file)
        kind: Literal["constitution", "parent"] = "parent" if found else "constitution"
        label = f"{written.name}@{written.version}"
        found[file.resolve()] = Source(kind, label, file_sha256(file))
        names = [include.family for include in written.include]
        for family in _families(names, file, principles_root):
            found[family.resolve()] = Source("family", family.stem, file_sha256(family))
        waiting += [
            parent_file(ref, file, root=root, principles_root=principles_root)
            for ref in written.extends
        ]
    own, *others = found.values()
    return (own, *sorted(others, key=lambda s: (s.kind, s.name, s.sha256)))


def _families(names: list[str], path: Path, principles_root: Path | None) -> Iterator[Path]:
    """The files that `cai.constitution.families` takes for these names."""
    folders = family_folders(path, principles_root)
    for name in names:
        files = (folder / f"{name}.yaml" for folder in folders)
        yield from [file for file in files if file.is_file()][:1]
