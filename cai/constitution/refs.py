"""Which file a reference means: a name, a name with a version, a range or a hash, or a path."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import semver

from cai.constitution.ranges import highest, parse_range
from cai.errors import ConfigError, nearest
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "admits",
    "default_version",
    "is_path",
    "names_in",
    "path_of",
    "require_yaml",
    "versions_in",
]

_HASH = "sha256:"
_DIGITS = re.compile(r"[0-9a-f]{8,64}")
_FORMS = (
    "Allowed after the @: a version (1.2.0), a range (1.2, ^1.2 or ~1.2.0), or sha256: with at "
    "least 8 hexadecimal digits of a hash."
)


def is_path(ref: str | Path) -> bool:
    """Whether a reference is a path: a `Path`, or a string with a separator or a YAML ending."""
    return isinstance(ref, Path) or ref.endswith((".yaml", ".yml")) or "/" in ref or os.sep in ref


def path_of(ref: str | Path, root: Path, hash_of: Callable[[Path], str]) -> Path:
    """The file that a reference means.

    Args:
        ref: see `cai.constitution.load_constitution`.
        root: the folder of constitutions that names refer to.
        hash_of: loads a file and tells the hash of its constitution; for `name@sha256:…`.

    Raises:
        ConfigError: there is no such name, version or hash, or the hash is ambiguous; the message
            lists those that there are.
    """
    if isinstance(ref, Path) or is_path(ref):
        return Path(ref)
    name, at, wanted = ref.partition("@")
    names = names_in(root)
    if name not in names:
        raise ConfigError(
            f"No constitution is called '{name}'. Known: {listed(names)}.{nearest(name, names)} "
            "Use one of them, or give the path of a YAML file."
        )
    versions = versions_in(root / name)
    if not at:
        version = default_version(versions)
    elif wanted.startswith(_HASH):
        version = _by_hash(name, wanted, [root / name / f"{v}.yaml" for v in versions], hash_of)
    else:
        version = _by_version(name, wanted, versions)
    return root / name / f"{version}.yaml"


def admits(ref: str, name: str, version: str) -> bool:
    """Whether a reference by name lets a version be used. Paths and hashes let none."""
    wanted_name, at, wanted = ref.partition("@")
    if is_path(ref) or wanted_name != name:
        return False
    allowed = parse_range(wanted)
    return not at or wanted == version or (allowed is not None and allowed.admits(version))


def names_in(root: Path) -> list[str]:
    """The constitutions of a folder that have a version.

    Raises:
        ConfigError: there is no such folder, or a file in it is named by a broken version.
    """
    if not root.is_dir():
        raise ConfigError(
            f"No folder of constitutions at {root}. Give a folder that holds <name>/<version>.yaml."
        )
    return sorted(folder.name for folder in root.iterdir() if versions_in(folder))


def versions_in(folder: Path) -> tuple[str, ...]:
    """The versions in a constitution's folder, from the lowest to the highest.

    Files whose names do not begin like a version, such as draft.yaml, are something else.

    Raises:
        ConfigError: a file name begins like a version and is none, or ends in .yml.
    """
    for file in sorted(folder.glob("*.yml")):
        require_yaml(file)
    found = []
    for file in sorted(folder.glob("*.yaml")):
        if semver.Version.is_valid(file.stem):
            found.append(file.stem)
        elif file.stem.removeprefix("v")[:1].isdigit():
            raise ConfigError(
                f"{file}: '{file.stem}' is not a version. Versions are named by three numbers, "
                "for example 1.0.0.yaml. Rename it."
            )
    return tuple(sorted(found, key=semver.Version.parse))


def require_yaml(file: Path) -> None:
    """Refuse a version whose file has the other ending of YAML: names never find it.

    Raises:
        ConfigError: it is named by a version and ends in .yml.
    """
    if file.suffix == ".yml" and semver.Version.is_valid(file.stem):
        raise ConfigError(
            f"{file}: the file of a version ends in .yaml. Rename it to {file.stem}.yaml."
        )


def default_version(versions: Sequence[str]) -> str:
    """The highest release; a pre-release only when there is nothing else."""
    found = highest(versions)
    if found is None:
        raise ValueError("there is no version")
    return found


def _by_version(name: str, wanted: str, versions: Sequence[str]) -> str:
    if wanted in versions:
        return wanted
    allowed = parse_range(wanted)
    found = highest(v for v in versions if allowed and allowed.admits(v))
    if found:
        return found
    known = f"Known: {listed(versions)}.{_nearest(wanted, versions)}"
    use = f"Use '{name}@{default_version(versions)}', or '{name}' for the highest."
    if allowed:
        raise ConfigError(
            f"Constitution '{name}' has no version that '{wanted}' allows: from {_low(allowed.low)}"
            f", below {allowed.high.finalize_version()}. {known} {use}"
        )
    forms = "" if semver.Version.is_valid(wanted) else f" {_FORMS}"
    raise ConfigError(f"Constitution '{name}' has no version '{wanted}'. {known}{forms} {use}")


def _nearest(wanted: str, versions: Sequence[str]) -> str:
    """The version with the closest numbers; the most alike one when it has no numbers."""
    allowed = parse_range(wanted)
    if allowed is None and not semver.Version.is_valid(wanted):
        return nearest(wanted, versions)
    aim = (allowed.low if allowed else semver.Version.parse(wanted)).to_tuple()[:3]

    def distance(version: str) -> list[int]:
        numbers = semver.Version.parse(version).to_tuple()[:3]
        return [abs(one - other) for one, other in zip(numbers, aim, strict=True)]

    return f" Nearest: {min(versions, key=distance)}."


def _low(version: semver.Version) -> str:
    return str(version.finalize_version() if version.prerelease == "0" else version)


def _by_hash(name: str, wanted: str, files: Sequence[Path], hash_of: Callable[[Path], str]) -> str:
    digits = wanted.removeprefix(_HASH).lower()
    if not _DIGITS.fullmatch(digits):
        raise ConfigError(f"Constitution '{name}': '{wanted}' is not a hash. {_FORMS}")
    hashes, broken = {}, []
    for file in files:
        try:
            hashes[file.stem] = hash_of(file)
        except ConfigError as error:
            broken.append(f" {file.stem} cannot be loaded: {error}")
    found = {version: one for version, one in hashes.items() if one.startswith(digits)}
    if len(set(found.values())) == 1:
        # Versions that differ in their notes alone mean the same.
        return default_version(list(found))
    shown = {version: one[:16] for version, one in (found or hashes).items()}
    known = f"Known: {listed(f'{version} ({one})' for version, one in shown.items())}."
    if found:
        raise ConfigError(
            f"Constitution '{name}': '{wanted}' is ambiguous. {known} Give more digits."
        )
    default = default_version([file.stem for file in files])
    raise ConfigError(
        f"Constitution '{name}' has no version with the hash '{wanted}'. {known}{''.join(broken)} "
        f"Use one of them, or a version, as in '{name}@{default}'."
    )
