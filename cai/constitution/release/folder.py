"""The folder of a constitution's versions, before and after a release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import semver

from cai.constitution.lint import lint
from cai.constitution.load import load_constitution
from cai.constitution.ranges import highest
from cai.constitution.refs import versions_in
from cai.constitution.release_records import (
    FILE,
    Release,
    read_releases,
    release_of,
    write_releases,
)
from cai.constitution.releases import release_findings
from cai.errors import ConfigError
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cai.constitution.diff import Fact
    from cai.constitution.lint import Finding
    from cai.constitution.models import Constitution
    from cai.constitution.release.bump import Step

__all__ = ["Released", "Standing", "require_sound"]

_UNRECORDED = "C902"


@dataclass(frozen=True, slots=True)
class Released:
    """What a release did, or would do."""

    path: Path
    """The file of the version."""
    version: str
    before: str
    """The version that it was compared with; empty for the first one."""
    step: Step
    facts: tuple[Fact, ...]
    """What has changed since the version before."""
    hash: str
    done: Literal["written", "recorded", "completed", "nothing"]
    """`recorded` is for a file that was there; `completed` ends a release that was interrupted;
    `nothing` is a dry run."""
    remark: str = ""
    """Why the version is not the one that the draft says, where it says another one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What has been released into a folder."""

    folder: Path
    recorded: tuple[Release, ...]
    unrecorded: tuple[str, ...]
    """Files that are named by a version and that `releases.yaml` does not know."""

    @classmethod
    def read(cls, folder: Path) -> Standing:
        """Look at a folder, which need not exist.

        Raises:
            ConfigError: a released version is missing, or is not what it was.
        """
        if not folder.exists():
            return cls(folder, (), ())
        changed = [f for f in release_findings(folder) if f.code != _UNRECORDED]
        _refuse("What was released before is not what it was", changed)
        recorded = read_releases(folder)
        known = {release.version for release in recorded}
        return cls(folder, recorded, tuple(v for v in versions_in(folder) if v not in known))

    def newest(self, below: str = "") -> str | None:
        """The highest recorded release, pre-releases aside; below a version when one is given."""
        found = (
            release.version
            for release in self.recorded
            if not below or semver.Version.parse(release.version) < semver.Version.parse(below)
        )
        return highest(v for v in found if not semver.Version.parse(v).prerelease)

    def path_of(self, version: str) -> Path:
        """The file of a version."""
        return self.folder / f"{version}.yaml"

    def interrupted(self, version: str, meant: Constitution) -> bool:
        """Whether the version is there already, and only its record is missing.

        Raises:
            ConfigError: another version is not recorded.
        """
        if self.unrecorded == (version,):
            if load_constitution(self.path_of(version)) == meant:
                return True
        elif not self.unrecorded:
            return False
        file = self.path_of(self.unrecorded[0])
        raise ConfigError(
            f"Not recorded as released in {self.folder}: {listed(self.unrecorded)}. So it is "
            "unclear what a new version is to be compared with. Record it: cai constitution "
            f"release {file}. If it was never used, delete it instead."
        )

    def require_new(self, version: str) -> None:
        """Refuse a version that is recorded, and a pre-release before one that is.

        Raises:
            ConfigError: it is recorded, or too low; the message names the next one.
        """
        wanted = semver.Version.parse(version)
        parsed = [semver.Version.parse(release.version) for release in self.recorded]
        alike = [one for one in parsed if one.finalize_version() == wanted.finalize_version()]
        last = max(alike, default=None)
        if last is None or last < wanted:
            return
        following = last.bump_prerelease() if last.prerelease else last.bump_patch()
        raise ConfigError(
            f"{last} is recorded already in {self.folder / FILE}, so {version} is not released. "
            f"Write {following} under 'version' in the draft."
        )

    def record(self, path: Path, constitution: Constitution, day: str, step: Step) -> None:
        """Add a version to `releases.yaml`.

        Raises:
            ConfigError: it is recorded already.
            UsageError: it cannot be written.
        """
        if any(release.version == constitution.version for release in self.recorded):
            raise ConfigError(
                f"{constitution.version} is recorded already in {self.folder / FILE}, and each "
                "version may occur once. Write a higher one under 'version'."
            )
        new = release_of(path, constitution, day, step)
        ordered = sorted((*self.recorded, new), key=lambda r: semver.Version.parse(r.version))
        write_releases(self.folder, ordered)


def require_sound(constitution: Constitution) -> None:
    """Refuse a constitution that would spoil labels.

    Raises:
        ConfigError: lint finds errors; the message lists them.
    """
    errors = [finding for finding in lint(constitution) if finding.level == "error"]
    _refuse(f"{constitution.label} has errors", errors)


def _refuse(what: str, findings: Iterable[Finding]) -> None:
    told = [f"  {f.principle_id or 'whole'}: {f.message} Fix: {f.fix}" for f in findings]
    if told:
        raise ConfigError(f"{what}, so nothing is released:\n" + "\n".join(told))
