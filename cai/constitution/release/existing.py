"""Recording the file of a version that was made by hand, or before there were records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from semver import Version

from cai.constitution.atomic import alone_in
from cai.constitution.diff import diff, facts
from cai.constitution.load import load_constitution
from cai.constitution.release.bump import require_enough, step_between
from cai.constitution.release.draft import require_versions
from cai.constitution.release.folder import Released, Standing, require_sound
from cai.errors import ConfigError
from cai.wording import listed

if TYPE_CHECKING:
    from pathlib import Path

    from cai.constitution.diff import Fact
    from cai.constitution.models import Constitution
    from cai.constitution.release.bump import Step

__all__ = ["record"]


def record(file: Path, day: str, dry_run: bool) -> Released:
    """Record a file `<name>/<version>.yaml` as it is; see `cai.constitution.release.release`."""
    loaded = load_constitution(file)
    require_versions(file)
    with alone_in(file.parent):
        standing = Standing.read(file.parent)
        _require_next(loaded.version, standing)
        require_sound(loaded)
        before = standing.newest(below=loaded.version)
        step, told = _step(before, loaded, standing)
        if not dry_run:
            standing.record(file, loaded, day, step)
    result = Released(file, loaded.version, before or "", step, told, loaded.hash, "recorded")
    return replace(result, done="nothing") if dry_run else result


def _step(
    before: str | None, loaded: Constitution, standing: Standing
) -> tuple[Step, tuple[Fact, ...]]:
    if before is None:
        return "first", ()
    told = facts(diff(load_constitution(standing.path_of(before)), loaded))
    step = step_between(before, loaded.version)
    require_enough(step, before, told, "Give the file a higher version.")
    return step, told


def _require_next(version: str, standing: Standing) -> None:
    if version not in standing.unrecorded:
        raise ConfigError(
            f"{standing.path_of(version)} is recorded as released already, and is what it was. To "
            "make a new version, change draft.yaml beside it and release that."
        )
    earlier = [v for v in standing.unrecorded if Version.parse(v) < Version.parse(version)]
    if earlier:
        raise ConfigError(
            f"{listed(earlier)} came before {version} and is not recorded. Record it first: "
            f"cai constitution release {standing.path_of(earlier[0])}"
        )
