"""Finding constitution files and resolving what they include."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import semver

from cai.constitution.models import Constitution, ConstitutionFile, Family, Include, Principle
from cai.content import content_dir
from cai.errors import ConfigError, nearest
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ConstitutionInfo", "list_constitutions", "load_constitution"]

_PARENTS_SEARCHED = 3


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
    """Load a constitution and put every included principle in place.

    Args:
        ref: `name` (its highest release; a pre-release only when there is nothing else),
            `name@version`, or the path of a YAML file. A `Path`, and a string with a folder
            separator or the ending `.yaml` or `.yml`, is a path.
        root: the folder of constitutions that names refer to; the packaged one by default.
        principles_root: a folder of families that is searched before all others. After it come the
            folders `principles/` beside the file, beside its folder, and one level further up, and
            last the packaged families.

    Raises:
        ConfigError: the constitution, version or family is unknown; a file does not fit its format,
            or its name; an include selects nothing; an id occurs twice; there is no principle.
    """
    path = _path_of(ref, root or content_dir("constitution"))
    file = parse_model(ConstitutionFile, read_yaml(path), path)
    _check_place(file, path)
    principles = _resolve(file, path, _family_folders(path, principles_root))
    return Constitution(
        name=file.name, version=file.version, summary=file.summary, principles=principles
    )


def list_constitutions(root: Path | None = None) -> list[ConstitutionInfo]:
    """All constitutions of a folder (the packaged one by default), sorted by name.

    Raises:
        ConfigError: the folder is missing, or one of its constitutions cannot be loaded.
    """
    root = root or content_dir("constitution")
    found = []
    for name in _names(root):
        versions = _versions(root / name)
        path = root / name / f"{_default_version(versions)}.yaml"
        one = load_constitution(path)
        found.append(
            ConstitutionInfo(
                name, versions, one.summary, len(one.principles), hash=one.hash, path=path
            )
        )
    return found


def _path_of(ref: str | Path, root: Path) -> Path:
    if isinstance(ref, Path) or ref.endswith((".yaml", ".yml")) or "/" in ref or os.sep in ref:
        return Path(ref)
    name, at, version = ref.partition("@")
    names = _names(root)
    if name not in names:
        raise ConfigError(
            f"No constitution is called '{name}'. Known: {_listed(names)}.{nearest(name, names)} "
            "Use one of them, or give the path of a YAML file."
        )
    versions = _versions(root / name)
    if not at:
        version = _default_version(versions)
    if version not in versions:
        raise ConfigError(
            f"Constitution '{name}' has no version '{version}'. Known: {_listed(versions)}."
            f"{nearest(version, versions)} Use '{name}@{_default_version(versions)}', "
            f"or '{name}' for the highest."
        )
    return root / name / f"{version}.yaml"


def _names(root: Path) -> list[str]:
    if not root.is_dir():
        raise ConfigError(
            f"No folder of constitutions at {root}. Give a folder that holds <name>/<version>.yaml."
        )
    return sorted(folder.name for folder in root.iterdir() if any(folder.glob("*.yaml")))


def _versions(folder: Path) -> tuple[str, ...]:
    """The versions in a constitution's folder, from the lowest to the highest."""
    for file in sorted(folder.glob("*.yaml")):
        if not semver.Version.is_valid(file.stem):
            raise ConfigError(
                f"{file}: '{file.stem}' is not a version. Files here are named by three numbers, "
                "for example 1.0.0.yaml. Rename it."
            )
    return tuple(sorted((f.stem for f in folder.glob("*.yaml")), key=semver.Version.parse))


def _default_version(versions: Sequence[str]) -> str:
    releases = [v for v in versions if semver.Version.parse(v).prerelease is None]
    return (releases or versions)[-1]


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


def _family_folders(path: Path, principles_root: Path | None) -> list[Path]:
    """Existing folders of families, in the order in which they are searched."""
    near = [p / "principles" for p in path.resolve().parents[:_PARENTS_SEARCHED]]
    first = [principles_root] if principles_root else []
    folders = [*first, *near, content_dir("principles")]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def _resolve(file: ConstitutionFile, path: Path, folders: list[Path]) -> tuple[Principle, ...]:
    taken: dict[str, tuple[Principle, str]] = {}
    sources = [(f"include {i.family}", _selected(i, path, folders)) for i in file.include]
    for source, principles in [*sources, ("its own principles", file.principles)]:
        for principle in principles:
            if principle.id in taken:
                raise ConfigError(
                    f"{path}: principle '{principle.id}' comes twice: from "
                    f"'{taken[principle.id][1]}' and from '{source}'. An id may occur once. "
                    "Remove one, or give it another id."
                )
            taken[principle.id] = (principle, source)
    if not taken:
        raise ConfigError(
            f"{path}: there is no principle. Add an entry under 'include' or 'principles'."
        )
    return tuple(principle for _, (principle, _) in sorted(taken.items()))


def _selected(include: Include, path: Path, folders: list[Path]) -> list[Principle]:
    """The principles of a family with one of the ids or tags; all of them when neither is given."""
    family = _family(include.family, path, folders)
    where = f"{path}: include of family '{family.family}'"
    ids = [p.id for p in family.principles]
    tags = sorted({tag for p in family.principles for tag in p.tags})
    _check_known("id", include.ids, ids, where)
    _check_known("tag", include.tags, tags, where)
    chosen = [
        p
        for p in family.principles
        if p.id in include.ids
        or set(p.tags) & set(include.tags)
        or not (include.ids or include.tags)
    ]
    if include.weight is None:
        return chosen
    return [p.model_copy(update={"weight": include.weight}) for p in chosen]


def _check_known(what: str, wanted: Iterable[str], known: Sequence[str], where: str) -> None:
    for one in wanted:
        if one not in known:
            raise ConfigError(
                f"{where}: no principle has the {what} '{one}'. Known: {_listed(known)}."
                f"{nearest(one, known)} Correct the {what}, or remove it."
            )


def _family(name: str, path: Path, folders: list[Path]) -> Family:
    for folder in folders:
        file = folder / f"{name}.yaml"
        if file.is_file():
            return _read_family(file)
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise ConfigError(
        f"{path}: no family is called '{name}'. Known: {_listed(known)}.{nearest(name, known)} "
        f"Searched: {_listed(map(str, folders))}. Correct the name, or add {name}.yaml there."
    )


def _read_family(file: Path) -> Family:
    family = parse_model(Family, read_yaml(file), file)
    if family.family != file.stem:
        raise ConfigError(
            f"{file}: the file is named {file.stem} but says 'family: {family.family}'. "
            "Make the two the same."
        )
    ids = [p.id for p in family.principles]
    double = sorted({one for one in ids if ids.count(one) > 1})
    if double:
        raise ConfigError(
            f"{file}: these ids occur twice: {_listed(double)}. Each principle needs its own id. "
            "Rename one of each."
        )
    return family


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
