"""Loading constitutions: by name, version, hash or path, with every principle in place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import semver

from cai.constitution.compose import compose
from cai.constitution.files import ConstitutionFile
from cai.constitution.refs import default_version, is_path, names_in, path_of, versions_in
from cai.content import content_dir
from cai.errors import ConfigError, nearest
from cai.wording import listed
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from cai.constitution.models import Constitution

__all__ = [
    "ConstitutionInfo",
    "find_constitution",
    "list_constitutions",
    "load_constitution",
    "parent_file",
    "read_file",
]


@dataclass(frozen=True, slots=True)
class ConstitutionInfo:
    """One constitution of a folder. All but `name` and `versions` is of the default version."""

    name: str
    versions: tuple[str, ...]
    """From the lowest to the highest."""
    summary: str
    principles: int
    """How many there are once the families are included."""
    hash: str
    path: Path


def load_constitution(
    ref: str | Path, *, root: Path | None = None, principles_root: Path | None = None
) -> Constitution:
    """Load a constitution and put every principle of its parents and families in place.

    Args:
        ref: one of

            - `name`: its highest release; a pre-release only when there is nothing else;
            - `name@1.2.0`: this version;
            - `name@1.2`, `name@^1.2`, `name@~1.2.0`: the highest version of a range, see
              `cai.constitution.ranges`; a pre-release only when the range holds nothing else;
            - `name@sha256:DIGITS`: the version with this hash, by 8 digits or more;
            - the path of a YAML file. A `Path`, and a string with a folder separator or the ending
              `.yaml` or `.yml`, is a path.
        root: the folder of constitutions that names refer to. By default they are looked for in
            `constitution/` of the current folder, and then among the packaged ones.
        principles_root: a folder of families that is searched before all others. After it come the
            folders `principles/` beside the file, beside its folder, and one level further up, and
            last the packaged families.

    Raises:
        ConfigError: the constitution, version, hash, parent or family is unknown; a hash is
            ambiguous; a file does not fit its format, or its name; an entry chooses nothing; an id
            occurs twice; a constitution extends itself; there is no principle.
    """
    loader = _Loader(root, principles_root)
    return loader.load(loader.find(ref))


def find_constitution(
    ref: str | Path, *, root: Path | None = None, principles_root: Path | None = None
) -> Path:
    """The file that a reference means; a path is returned as it is.

    Args and errors are those of `load_constitution`, but the file is not read.
    """
    return _Loader(root, principles_root).find(ref)


def parent_file(
    ref: str, heir: Path, *, root: Path | None = None, principles_root: Path | None = None
) -> Path:
    """The file that an entry of `extends` means in the file of the heir.

    Raises:
        ConfigError: there is no such constitution or version.
    """
    return _Loader(root, principles_root).parent(ref, heir, (heir.resolve(),))


def read_file(path: Path) -> ConstitutionFile:
    """Read the file of a constitution as it is written, without its parents and families.

    Raises:
        ConfigError: it does not fit the format, or its name.
    """
    file = parse_model(ConstitutionFile, read_yaml(path), path)
    _check_place(file, path)
    return file


def list_constitutions(root: Path | None = None) -> list[ConstitutionInfo]:
    """All constitutions of a folder (the packaged one by default), sorted by name.

    Raises:
        ConfigError: the folder is missing, or one of its constitutions cannot be loaded.
    """
    root = root or content_dir("constitution")
    found = []
    for name in names_in(root):
        versions = versions_in(root / name)
        path = root / name / f"{default_version(versions)}.yaml"
        one = load_constitution(path, root=root)
        found.append(
            ConstitutionInfo(
                name, versions, one.summary, len(one.principles), hash=one.hash, path=path
            )
        )
    return found


class _Loader:
    """Loads constitutions and their parents from a folder."""

    def __init__(self, root: Path | None, principles_root: Path | None) -> None:
        self._root = root or content_dir("constitution")
        self._near = None if root else Path("constitution")
        self._principles_root = principles_root
        # A constitution that several heirs share is put together once.
        self._loaded: dict[Path, Constitution] = {}

    def find(self, ref: str | Path) -> Path:
        root = self._root
        if self._near and not is_path(ref):
            if versions_in(self._near / _name_in(ref)):
                root = self._near
            else:
                self._require_known(_name_in(ref), self._near)
        return path_of(ref, root, lambda file: self.load(file).hash)

    def _require_known(self, name: str, near: Path) -> None:
        """Refuse a name that is in neither folder, and say what both hold."""
        packaged, own = names_in(self._root), names_in(near) if near.is_dir() else []
        if name in packaged:
            return
        known = sorted({*own, *packaged})
        draft = near / name / "draft.yaml"
        unreleased = f" There is a draft: name it as {draft}." if draft.is_file() else ""
        raise ConfigError(
            f"No constitution is called '{name}'. Looked in {near.absolute()} and among the "
            f"packaged ones. Known: {listed(known)}.{nearest(name, known)}{unreleased} Use one of "
            "them, or give the path of a YAML file."
        )

    def load(self, path: Path, heirs: tuple[Path, ...] = ()) -> Constitution:
        here = path.resolve()
        if here in heirs:
            chain = " → ".join(str(one) for one in (*heirs[heirs.index(here) :], here))
            raise ConfigError(
                f"{path}: a constitution extends itself: {chain}. Remove one 'extends' entry."
            )
        if here not in self._loaded:
            line = (*heirs, here)
            self._loaded[here] = compose(
                read_file(path),
                path,
                lambda ref: self.load(self.parent(ref, path, line), line),
                self._principles_root,
            )
        return self._loaded[here]

    def parent(self, ref: str, heir: Path, line: tuple[Path, ...]) -> Path:
        """The file of an entry of `extends`.

        Args:
            ref: as written.
            heir: the file that it is written in.
            line: the heir, and whatever extends it; none of them can be its parent.
        """
        if is_path(ref):
            return heir.parent / ref
        root = _root_of(ref, heir, self._root)
        return path_of(ref, root, lambda file: self.load(file, line).hash)


def _root_of(ref: str, path: Path, root: Path) -> Path:
    """The folder in which a parent is looked for by name: that of the heir first.

    A file `<root>/<name>/<version>.yaml` finds the constitutions beside its own folder.
    """
    beside = path.resolve().parent.parent
    return beside if versions_in(beside / _name_in(ref)) else root


def _name_in(ref: str | Path) -> str:
    return str(ref).partition("@")[0]


def _check_place(file: ConstitutionFile, path: Path) -> None:
    """A file named by a version lies in `<name>/<version>.yaml`; any other name is free."""
    stem, folder = path.stem, path.resolve().parent.name
    if not semver.Version.is_valid(stem):
        return
    if file.version != stem:
        raise ConfigError(
            f"{path}: the file is named {stem} but says 'version: {file.version}'. "
            "Make the two the same."
        )
    if file.name != folder:
        raise ConfigError(
            f"{path}: the folder is named '{folder}' but the file says 'name: {file.name}'. "
            "Make the two the same."
        )
