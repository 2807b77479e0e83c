"""Prompts that an evaluation from a config asks: those of a file, or of the run's split dev."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cai.errors import ConfigError
from cai.evaluate.rehearsal import Rehearsal
from cai.intake import count_prompts, read_prompts
from cai.store import RunStore, rows_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.evaluate.registry import EvaluationSettings
    from cai.evaluate.session import Session
    from cai.records import Prompt

__all__ = ["asked_prompts", "count_asked"]


def asked_prompts(session: Session, file: str | None, limit: int | None) -> tuple[Prompt, ...]:
    """Different prompts, at most as many as the limit.

    Nothing is trained on prompts of the split dev, so answers to them tell what was learned. Held
    out prompts stay with the people who label.

    Args:
        session: its config names the run; a rehearsal may have prompts in place of the run's.
        file: of prompts, or `starter`, in place of the run's.
        limit: all when None.

    Raises:
        ConfigError: there are none.
        InputError: the file cannot be read.
        StoreError: there is no such run.
    """
    found = read_prompts(file) if file is not None else _of_dev(session)
    asked = tuple(islice({one.id: one for one in found}.values(), limit))
    if not asked:
        raise ConfigError(
            f"The split dev of {session.config.run} has no finished row, so there are no prompts "
            "to evaluate on. Name a file with prompts: FILE, or set split.dev above 0 for a new "
            "run."
        )
    return asked


def count_asked(session: Session, settings: EvaluationSettings) -> int | None:
    """How many prompts an evaluation asks; None of one that asks questions of its own.

    Errors are those of `asked_prompts`.
    """
    if "prompts" not in type(settings).model_fields:
        return None
    file: str | None = getattr(settings, "prompts")  # noqa: B009 - not all settings have it
    if file is None:
        return len(asked_prompts(session, None, settings.limit))
    found = count_prompts(file).unique
    return found if settings.limit is None else min(found, settings.limit)


def _of_dev(session: Session) -> Iterator[Prompt]:
    if isinstance(session, Rehearsal) and session.dev is not None:
        yield from session.dev
        return
    with RunStore.read(Path(session.config.run)) as store:
        for row, _ in rows_for(store, "calibration"):
            yield row.prompt
