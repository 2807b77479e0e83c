"""The checkpoints of a ledger and their figures, for the page of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.drift import Ledger, watch
from cai.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from cai.drift import Verdict
    from cai.evaluate.results import Figure

__all__ = ["Checkpoints", "OverTime", "read_checkpoints"]


@dataclass(frozen=True, slots=True)
class OverTime:
    """A checkpoint, and its figures over whole evaluations by the kind of evaluation."""

    name: str
    added: str
    constitution: str
    figures: tuple[tuple[str, Figure], ...]


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """All of a ledger, oldest first, and what became of the newest."""

    entries: tuple[OverTime, ...]
    verdict: Verdict


def read_checkpoints(folder: Path, *, draws: int = 2000) -> Checkpoints:
    """Read a ledger.

    Raises:
        StoreError: it cannot be read.
        UsageError: there is none.
    """
    ledger = Ledger(folder)
    if not ledger.path.is_file():
        raise UsageError(f"There is no ledger in {folder}. Add a checkpoint with: cai drift add")
    entries = tuple(
        OverTime(
            one.name,
            one.added,
            one.constitution,
            tuple(
                (result.kind, figure)
                for result in ledger.results(one)
                for figure in result.figures
                if _over_all(figure, one.subject)
            ),
        )
        for one in ledger.entries()
    )
    return Checkpoints(entries, watch(ledger, draws=draws))


def _over_all(figure: Figure, subject: str) -> bool:
    """Whether it is about all cases, and has a good side."""
    alone = not figure.against or figure.unit == "share"
    whole = figure.group.rpartition("/")[2] == "all"
    return figure.subject == subject and whole and alone and bool(figure.better)
