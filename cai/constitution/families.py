"""Families of principles: where they are found, and which of their principles are taken."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cai.constitution.files import Family
from cai.content import content_dir
from cai.errors import ConfigError, nearest
from cai.wording import listed
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cai.constitution.files import Include
    from cai.constitution.principle import Principle

__all__ = ["family_folders", "read_family", "require_matches", "selected"]

_PARENTS_SEARCHED = 3


def family_folders(path: Path, principles_root: Path | None = None) -> list[Path]:
    """Existing folders of families, in the order in which they are searched.

    Args:
        path: of a constitution; the folders `principles/` beside it, beside its folder and one
            level further up are searched, and last the packaged families.
        principles_root: a folder that comes before all others.
    """
    near = [p / "principles" for p in path.resolve().parents[:_PARENTS_SEARCHED]]
    first = [principles_root] if principles_root else []
    folders = [*first, *near, content_dir("principles")]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def selected(include: Include, path: Path, folders: Sequence[Path]) -> list[Principle]:
    """The principles of a family with one of the ids or tags; all of them when neither is given.

    Raises:
        ConfigError: there is no such family, or an id or tag chooses nothing.
    """
    family = _family(include.family, path, folders)
    where = f"{path}: include of family '{family.family}'"
    require_matches("id", include.ids, [p.id for p in family.principles], where)
    tags = sorted({tag for p in family.principles for tag in p.tags})
    require_matches("tag", include.tags, tags, where)
    chosen = [
        p
        for p in family.principles
        if _any(include.ids, (p.id,))
        or _any(include.tags, p.tags)
        or not (include.ids or include.tags)
    ]
    if include.weight is None:
        return chosen
    return [p.model_copy(update={"weight": include.weight}) for p in chosen]


def require_matches(what: str, patterns: Iterable[str], known: Sequence[str], where: str) -> None:
    """Refuse a pattern that chooses none of the words.

    Raises:
        ConfigError: it chooses nothing; the message names the nearest word.
    """
    for pattern in patterns:
        if not any(fnmatchcase(word, pattern) for word in known):
            raise ConfigError(
                f"{where}: no principle has the {what} '{pattern}'. Known: {listed(known)}."
                f"{nearest(pattern, known)} Correct the {what}, or remove it."
            )


def read_family(file: Path) -> Family:
    """Read a file of principles.

    Raises:
        ConfigError: it does not fit the format, or an id occurs twice.
    """
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
            f"{file}: these ids occur twice: {listed(double)}. Each principle needs its own id. "
            "Rename one of each."
        )
    return family


def _family(name: str, path: Path, folders: Sequence[Path]) -> Family:
    for folder in folders:
        file = folder / f"{name}.yaml"
        if file.is_file():
            return read_family(file)
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise ConfigError(
        f"{path}: no family is called '{name}'. Known: {listed(known)}.{nearest(name, known)} "
        f"Searched: {listed(map(str, folders))}. Correct the name, or add {name}.yaml there."
    )


def _any(patterns: Iterable[str], words: Sequence[str]) -> bool:
    return any(fnmatchcase(word, pattern) for pattern in patterns for word in words)
