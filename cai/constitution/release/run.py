"""What `cai constitution release` does, once its arguments make sense."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from semver import Version

from cai.constitution.refs import require_yaml
from cai.constitution.release.existing import record
from cai.constitution.release.publish import publish
from cai.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cai.constitution.release.bump import Wish
    from cai.constitution.release.folder import Released

__all__ = ["release"]

_LONGEST_NOTE = 2000
"""Characters."""


def release(
    file: Path,
    *,
    bump: Wish = "auto",
    notes: Sequence[str] = (),
    date: str = "",
    into: Path | None = None,
    dry_run: bool = False,
) -> Released:
    """Make a version of a draft, or record a file that is named by a version already.

    The version's file is written first and `releases.yaml` last, each in one step. A release that
    is interrupted between the two is completed by the next one.

    Args:
        file: a draft: any file that is not named by a version; or `<name>/<version>.yaml`.
        bump: which number is raised; at least what the changes ask for, see
            `cai.constitution.diff.BUMPS`. `auto` takes just that. Only for a draft, as all below
            but `date` and `dry_run`.
        notes: sentences for the changelog, before those about the changes.
        date: of the release, as 2026-01-31; today in UTC when empty.
        into: the folder of the versions; that of the draft by default.
        dry_run: find out everything and write nothing.

    Raises:
        ConfigError: the draft cannot be loaded, has errors that lint finds, or has not changed; the
            bump is too small; the version is recorded already; a parent is a draft; released
            versions have changed; the folder has another name.
        UsageError: somebody else is releasing there, or a file cannot be written.
    """
    day, notes = _day(date), _checked(notes)
    require_yaml(file)
    if Version.is_valid(file.stem):
        if bump != "auto" or notes or into:
            raise ConfigError(
                f"{file} is named by a version, so it is recorded as it is. --bump, --note and "
                "--into are for drafts. Leave them out, or name the file draft.yaml."
            )
        return record(file, day, dry_run)
    return publish(file, into or file.parent, bump, notes, day, dry_run)


def _day(date: str) -> str:
    if not date:
        return dt.datetime.now(dt.UTC).date().isoformat()
    try:
        day = dt.date.fromisoformat(date).isoformat()
    except ValueError:
        day = ""
    if day != date:
        raise ConfigError(f"--date {date} is not a day. Write it like 2026-01-31.")
    return date


def _checked(notes: Sequence[str]) -> tuple[str, ...]:
    for note in notes:
        if not note.strip() or len(note) > _LONGEST_NOTE:
            raise ConfigError(
                f"--note: a sentence of 1 to {_LONGEST_NOTE:,} characters is wanted (got "
                f"{note!r:.80}). Write another one, or leave it out."
            )
    return tuple(note.strip() for note in notes)
