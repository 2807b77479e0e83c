"""Whether released versions are still what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import semver

from cai.constitution.lint.finding import Finding
from cai.constitution.load import load_constitution
from cai.constitution.refs import versions_in
from cai.constitution.release_records import FILE, Release, digest, read_releases
from cai.constitution.sources import file_sha256
from cai.errors import ConfigError
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.constitution.models import Constitution

__all__ = ["release_findings"]

_CHANGED, _UNRECORDED = "C901", "C902"
_SHOWN = 5
"""Principles that are named in one message."""


def release_findings(
    path: Path, *, root: Path | None = None, principles_root: Path | None = None
) -> list[Finding]:
    """What is wrong with released versions.

    - The bytes of a released file, or what it means together with its parents and families, are
      not what they were.
    - A file is named by a version and not recorded.
    - A recorded file is missing.

    All of these are errors (C901, and C902 for what is not recorded). In a folder without
    `releases.yaml` nothing has been recorded yet, and C902 is a warning.

    Args:
        path: of a file. When it is named by a version, that version is looked at, and whether files
            of others are missing. For any other file, such as draft.yaml, or a folder, all versions
            in its folder are.
        root: see `cai.constitution.load_constitution`.
        principles_root: see there.

    Raises:
        ConfigError: releases.yaml cannot be read.
    """
    folder = path if path.is_dir() else path.parent
    recorded = {release.version: release for release in read_releases(folder)}
    versions = versions_in(folder)
    named = not path.is_dir() and semver.Version.is_valid(path.stem)
    if not (named or (folder / FILE).exists()):
        return []
    found = [_missing(v, folder) for v in recorded if v not in versions]
    for version in [path.stem] if named else versions:
        file = folder / f"{version}.yaml"
        if version not in recorded:
            found.append(_unrecorded(file, bool(recorded)))
        elif file.exists():
            found += _changed(file, recorded[version], root, principles_root)
    return found


def _missing(version: str, folder: Path) -> Finding:
    return Finding(
        _CHANGED,
        "error",
        "",
        f"{version} was released, and {folder / version}.yaml is missing. Labels name it.",
        "Bring the file back from the history of the repository.",
    )


def _unrecorded(file: Path, others: bool) -> Finding:
    which = "other versions of its folder are" if others else f"there is no {FILE} in its folder"
    return Finding(
        _UNRECORDED,
        "error" if others else "warning",
        "",
        f"{file.name} is named by a version and not recorded as released; {which}. Nothing would "
        "tell if it changed after it was used.",
        f"Record it: cai constitution release {file}. To go on working on it, name it draft.yaml.",
    )


def _changed(
    file: Path, release: Release, root: Path | None, principles_root: Path | None
) -> Iterator[Finding]:
    edited = file_sha256(file) != release.file_sha256
    try:
        loaded = load_constitution(file, root=root, principles_root=principles_root)
    except ConfigError as error:
        yield Finding(
            _CHANGED,
            "error",
            "",
            f"{file.name} was released on {release.date} and cannot be loaded any more: {error}",
            _fix(edited),
        )
        return
    if loaded.hash != release.hash:
        cause = (
            "The file itself was edited"
            if edited
            else "The file is untouched, so a family or a parent has changed"
        )
        which, first = _difference(release, loaded)
        yield Finding(
            _CHANGED,
            "error",
            first,
            f"{loaded.label} was released on {release.date} with the hash {release.hash[:12]} and "
            f"now means something else (hash {loaded.hash[:12]}). {cause}: {which}.",
            _fix(edited),
        )
    elif edited:
        yield Finding(
            _CHANGED,
            "error",
            "",
            f"{file.name} was edited after its release on {release.date}. It still means the same, "
            "but its bytes are not those that were released.",
            _fix(edited),
        )


def _difference(release: Release, loaded: Constitution) -> tuple[str, str]:
    """What differs in words, and the first principle that does."""
    before, now = release.principles, {p.id: digest(p) for p in loaded.principles}
    groups = {
        "other than before": [i for i in now if i in before and before[i] != now[i]],
        "new": [i for i in now if i not in before],
        "gone": [i for i in before if i not in now],
    }
    said = []
    for what, ids in groups.items():
        if ids:
            shown = [f"'{i}'{_origin(i, loaded)}" for i in ids[:_SHOWN]]
            more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
            said.append(f"{what}: {listed(shown)}{more}")
    first = next((i for ids in groups.values() for i in ids), "")
    return "; ".join(said) or "its preamble, priorities or aggregate", first


def _origin(principle_id: str, loaded: Constitution) -> str:
    origin = loaded.origins.get(principle_id)
    return f" ({origin})" if origin else ""


def _fix(edited: bool) -> str:
    if edited:
        return (
            "Bring the released file back from the history of the repository. Put the change into "
            "draft.yaml, and release it as a new version."
        )
    return (
        "Undo the change in the family or parent. Write new words as a new principle with an id of "
        "its own, or as an 'override' in draft.yaml, and release that as a new version."
    )
