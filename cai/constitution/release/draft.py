"""What a draft becomes: exact parents, named principles, and an entry in the changelog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import semver

from cai.constitution.diff import diff, facts
from cai.constitution.families import family_folders, selected
from cai.constitution.load import load_constitution, parent_file, read_file
from cai.constitution.refs import is_path
from cai.constitution.release.text import released_text
from cai.constitution.write import without_origin
from cai.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.files import Change, ConstitutionFile, Include
    from cai.constitution.models import Constitution

__all__ = ["Draft", "changelog_with", "require_same", "require_versions"]

_UNUSUAL = (
    "The draft is written in a way that cannot be turned into a release: read back, the result "
    "says something else. Write each value where it is used, one key on a line."
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft, as written and as loaded."""

    path: Path
    file: ConstitutionFile
    loaded: Constitution

    @classmethod
    def read(cls, path: Path) -> Draft:
        """Read a draft.

        Raises:
            ConfigError: see `cai.constitution.load_constitution`.
        """
        return cls(path, read_file(path), load_constitution(path))

    def as_version(self, version: str) -> Constitution:
        """What the draft means, under a version."""
        return self.loaded.model_copy(update={"version": version})

    def pinned(self, version: str, changelog: Sequence[Change]) -> ConstitutionFile:
        """The file of a release.

        Parents become exact versions, and families the ids that are taken from them, so that the
        release stays what it is when a parent is released again or a family grows.

        Raises:
            ConfigError: a parent is a draft; see `require_versions`.
        """
        require_versions(self.path)
        update = {"version": version, "changelog": tuple(changelog)}
        return self.file.model_copy(update={**update, **self._exact()})

    def text(self, pinned: ConstitutionFile) -> str:
        """The draft's text with the changes that make it the file of a release.

        Raises:
            ConfigError: it is written in a way that cannot be changed in place.
        """
        old = self.file
        return released_text(
            without_origin(self.path.read_text(encoding="utf-8")),
            version=pinned.version,
            extends={i: p for i, p in enumerate(pinned.extends) if p != old.extends[i]},
            ids={i: n.ids for i, n in enumerate(pinned.include) if n != old.include[i]},
            changelog=[entry.model_dump(mode="json") for entry in pinned.changelog],
            only_first=pinned.changelog[1:] == old.changelog,
        )

    def _exact(self) -> dict[str, object]:
        folders = family_folders(self.path)

        def named(include: Include) -> Include:
            ids = tuple(p.id for p in selected(include, self.path, folders))
            exact = not include.tags and set(include.ids) == set(ids)
            return include if exact else include.model_copy(update={"ids": ids, "tags": ()})

        return {
            "extends": tuple(self._parent(ref) for ref in self.file.extends),
            "include": tuple(named(include) for include in self.file.include),
        }

    def _parent(self, ref: str) -> str:
        name, _, wanted = ref.partition("@")
        if is_path(ref) or wanted.startswith("sha256:"):
            return ref
        return f"{name}@{parent_file(ref, self.path).stem}"


def require_versions(file: Path) -> None:
    """Refuse a parent by path, near or far, that is not a version: it may change any day.

    Args:
        file: of a constitution that can be loaded, so that no parent is missing or its own heir.

    Raises:
        ConfigError: a path in `extends`, of this file or of a parent, is not
            `<name>/<version>.yaml`.
    """
    waiting, seen = [file], {file.resolve()}
    while waiting:
        heir = waiting.pop()
        for ref in read_file(heir).extends:
            if is_path(ref):
                _require_version(ref, heir, file)
            parent = parent_file(ref, heir)
            if parent.resolve() not in seen:
                seen.add(parent.resolve())
                waiting.append(parent)


def _require_version(ref: str, heir: Path, file: Path) -> None:
    parent = heir.parent / ref
    if parent.suffix == ".yaml" and semver.Version.is_valid(parent.stem):
        return
    name = read_file(parent).name
    via = "" if heir == file else f" {file} would change with it."
    raise ConfigError(
        f"{heir}: extends '{ref}', which is not a version and may change any day.{via} Release it "
        f"first (cai constitution release {parent}), and extend what that makes, as in "
        f"'{name}@1.0.0' or '{(Path(ref).parent / '1.0.0.yaml').as_posix()}'."
    )


def changelog_with(
    draft: ConstitutionFile, base: ConstitutionFile | None, new: Change
) -> tuple[Change, ...]:
    """The changelog of a release, the newest entry first.

    Args:
        draft: an entry that it has for the new version already comes first within the new one.
        base: the version before, whose entries are kept.
        new: what this release adds.
    """
    entries = {entry.version: entry for entry in draft.changelog}
    announced = entries.pop(new.version, None)
    if announced:
        new = new.model_copy(update={"changes": announced.changes + new.changes})
    entries |= {entry.version: entry for entry in (base.changelog if base else ())}
    order = sorted(entries, key=semver.Version.parse, reverse=True)
    return (new, *(entries[version] for version in order))


def require_same(written: Path, pinned: ConstitutionFile, meant: Constitution) -> None:
    """Read a release back before it counts.

    Args:
        written: where it lies.
        pinned: what the file should say.
        meant: what it should mean.

    Raises:
        ConfigError: it says or means something else.
    """
    try:
        same = read_file(written) == pinned
    except ConfigError as error:
        raise ConfigError(f"{_UNUSUAL} ({error})") from error
    if not same:
        raise ConfigError(_UNUSUAL)
    loaded = load_constitution(written)
    if loaded != meant:
        found = "\n".join(f"  {fact.sentence}" for fact in facts(diff(meant, loaded)))
        raise ConfigError(
            f"In {written.parent} the draft would mean something else than where it lies, because "
            "families and parents are searched near a file. Move the draft there. Different:\n"
            + found
        )
