"""Making a version of a draft."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from cai.constitution.atomic import alone_in, staged, sweep
from cai.constitution.diff import diff, facts
from cai.constitution.files import Change
from cai.constitution.load import load_constitution, read_file
from cai.constitution.release.bump import chosen_bump, chosen_version, first_version
from cai.constitution.release.draft import Draft, changelog_with, require_same
from cai.constitution.release.folder import Released, Standing, require_sound
from cai.errors import ConfigError
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cai.constitution.diff import Fact
    from cai.constitution.models import Constitution
    from cai.constitution.release.bump import Step, Wish

__all__ = ["publish"]


def publish(
    file: Path, folder: Path, bump: Wish, notes: Sequence[str], day: str, dry_run: bool
) -> Released:
    """Release a draft into a folder; see `cai.constitution.release.release`."""
    draft = Draft.read(file)
    _require_place(file, draft.file.name, folder)
    require_sound(draft.loaded)
    with nullcontext() if dry_run else alone_in(folder, create=True):
        standing = Standing.read(folder)
        step, version, before, told, remark = _plan(draft, standing, bump)
        path, meant = standing.path_of(version), draft.as_version(version)
        result = Released(path, version, before or "", step, told, meant.hash, "nothing", remark)
        if standing.interrupted(version, meant):
            if not dry_run:
                standing.record(path, meant, _dated(path) or day, step)
            return result if dry_run else replace(result, done="completed")
        said = [*notes, *_sentences(told, meant)]
        base = read_file(standing.path_of(before)) if before else None
        new = Change(version=version, date=day, changes=tuple(said))
        pinned = draft.pinned(version, changelog_with(draft.file, base, new))
        text = draft.text(pinned)
        if dry_run:
            return result
        sweep(folder)
        with staged(path, text) as (beside, put):
            require_same(beside, pinned, meant)
            _require_free(path)
            put()
        standing.record(path, meant, day, step)
        return replace(result, done="written")


def _plan(
    draft: Draft, standing: Standing, bump: Wish
) -> tuple[Step, str, str | None, tuple[Fact, ...], str]:
    """Step, version, version before, what has changed since that, and what to say of the number.

    Raises:
        ConfigError: nothing has changed, the bump is too small, or the version is recorded already.
    """
    before, said = standing.newest(), draft.file.version
    if before:
        told = facts(diff(load_constitution(standing.path_of(before)), draft.loaded))
        step, version, remark = chosen_version(before, said, chosen_bump(before, told, bump), bump)
        standing.require_new(version)
        return step, version, before, told, remark
    if bump == "auto":
        version = first_version(said)
        standing.require_new(version)
        return "first", version, None, (), ""
    raise ConfigError(
        f"There is no version in {standing.folder} that --bump {bump} could raise. Leave it out; "
        "for another first version than 1.0.0 write it under 'version' in the draft."
    )


def _sentences(told: Sequence[Fact], meant: Constitution) -> list[str]:
    count = counted(len(meant.principles), "principle")
    return [fact.sentence for fact in told] or [f"First release, with {count}."]


def _dated(path: Path) -> str:
    """The day that an interrupted release wrote into the changelog."""
    file = read_file(path)
    return next((entry.date for entry in file.changelog if entry.version == file.version), "")


def _require_free(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise ConfigError(
            f"{path} was written by somebody else meanwhile, and a version is never overwritten. "
            "Move it away, or record it: cai constitution release " + str(path)
        )


def _require_place(file: Path, name: str, folder: Path) -> None:
    if folder.resolve().name != name:
        raise ConfigError(
            f"{file} says 'name: {name}', and versions lie in a folder of that name; got {folder}. "
            f"Make the two the same, or say where they go, as in: --into constitution/{name}"
        )
