"""`releases.yaml`: what each released version of a constitution was on the day of its release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from cai.constitution.atomic import write_atomically
from cai.constitution.files import Version  # noqa: TC001 - pydantic reads it
from cai.constitution.principle import Model, Slug
from cai.constitution.sources import file_sha256
from cai.constitution.write import as_yaml
from cai.errors import ConfigError
from cai.hashing import content_hash
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle

__all__ = ["FILE", "Release", "digest", "read_releases", "release_of", "write_releases"]

FILE = "releases.yaml"
_HEAD = """\
# What was released. `cai constitution release` writes this file, `cai constitution lint` compares
# with it. Do not edit it: labels name these versions, so they may never change."""
_DIGITS = 12

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Release(Model):
    """One released version."""

    version: Version
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    """Day of the release, as 2026-01-31."""
    bump: Literal["first", "patch", "minor", "major"]
    """What was raised in the version before."""
    hash: Sha256
    """Of the resolved constitution, see `Constitution.hash`: changes with families and parents."""
    file_sha256: Sha256
    """Of the bytes of the file."""
    principles: dict[str, str]
    """Id → the first digits of the hash of each principle, to tell which one has changed."""


class _ReleasesFile(Model):
    """A file `constitution/<name>/releases.yaml`."""

    format: Literal[1]
    name: Slug
    releases: tuple[Release, ...]

    @model_validator(mode="after")
    def _once(self) -> Self:
        versions = [release.version for release in self.releases]
        if len(set(versions)) < len(versions):
            raise ValueError(f"releases: each version may occur once; got {versions}")
        return self


def read_releases(folder: Path) -> tuple[Release, ...]:
    """The releases of the constitution in a folder, in the order in which they were written.

    Raises:
        ConfigError: the file does not fit its format, or is that of another constitution.
    """
    path = folder / FILE
    if not path.exists():
        return ()
    file = parse_model(_ReleasesFile, read_yaml(path), path)
    if file.name != folder.resolve().name:
        raise ConfigError(
            f"{path}: the folder is named '{folder.resolve().name}' but the file says "
            f"'name: {file.name}'. Delete it, and record the versions again with "
            "'cai constitution release FILE'."
        )
    return file.releases


def write_releases(folder: Path, releases: Iterable[Release]) -> None:
    """Replace the file in one step.

    Raises:
        UsageError: it cannot be written.
    """
    entries = [release.model_dump(mode="json") for release in releases]
    data = {"format": 1, "name": folder.resolve().name, "releases": entries}
    write_atomically(folder / FILE, as_yaml(data, _HEAD))


def release_of(
    path: Path,
    constitution: Constitution,
    date: str,
    bump: Literal["first", "patch", "minor", "major"],
) -> Release:
    """What is recorded of a version's file.

    Raises:
        ConfigError: the file cannot be read.
    """
    return Release(
        version=constitution.version,
        date=date,
        bump=bump,
        hash=constitution.hash,
        file_sha256=file_sha256(path),
        principles={p.id: digest(p) for p in constitution.principles},
    )


def digest(principle: Principle) -> str:
    """The first digits of the hash of what a principle means."""
    return content_hash(principle.meaning())[:_DIGITS]
