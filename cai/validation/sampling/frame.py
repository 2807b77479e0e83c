"""The list of pairs that a plan draws from: all held-out pairs, without their texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from cai.errors import UsageError
from cai.store.access import rows_for
from cai.validation.sampling.strata import cell_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cai.records import Pair, Prompt
    from cai.store import RunStore
    from cai.validation.records import StratumKey
    from cai.validation.sampling.strata import Cell

__all__ = ["Candidate", "Frame", "count_held_out", "held_out_pairs", "scan"]


class Candidate(NamedTuple):
    """What is kept of a pair until the draw: a run may have 100,000 of them."""

    id: str
    group_id: str
    sure: float | None
    """Probability of the answer that the judge prefers, or None without a verdict."""
    decided: bool
    """Whether the verdict names a winner, which can be right or wrong."""


@dataclass(slots=True)
class Frame:
    """The pairs by cell, and what was left out."""

    cells: dict[Cell, list[Candidate]] = field(default_factory=dict)
    rows: int = 0
    identical: int = 0
    """Pairs of one and the same text: there is nothing to choose between."""
    repeated: int = 0
    """Pairs of the same two texts as an earlier one of their prompt."""
    aside: int = 0
    """Judged pairs that the run sets aside: their labels are never trained on."""

    @property
    def pairs(self) -> int:
        """Pairs to draw from."""
        return sum(len(members) for members in self.cells.values())

    @property
    def candidates(self) -> Iterator[Candidate]:
        """All of them."""
        for members in self.cells.values():
            yield from members


def scan(store: RunStore, keys: Iterable[StratumKey], say: Callable[[str], None]) -> Frame:
    """List the held-out pairs with two different texts, each once.

    Args:
        store: the run.
        keys: what to stratify by.
        say: is told what is left out.

    Raises:
        UsageError: there is nothing to draw from, or the judge named no winner at all.
        StoreError: the store is a shard.
    """
    groups, frame, seen, keys = store.groups("held_out"), Frame(), set[str](), tuple(keys)
    for row, _ in rows_for(store, "validation"):
        frame.rows += 1
        for pair in row.pairs:
            if not _differs(pair):
                frame.identical += 1
            elif _set_aside(pair):
                frame.aside += 1
            elif pair.id in seen:
                frame.repeated += 1
            else:
                seen.add(pair.id)
                cell = cell_of(pair, row.prompt, keys)
                label = pair.soft_label
                sure = None if label is None else max(label, 1 - label)
                candidate = Candidate(pair.id, groups[row.prompt.id], sure, pair.is_preference)
                frame.cells.setdefault(cell, []).append(candidate)
    _check(store, frame)
    if frame.identical:
        say(f"{frame.identical:,} held-out pairs of twice the same text are left out.")
    if frame.repeated:
        say(f"{frame.repeated:,} held-out pairs repeat the texts of another one: each counts once.")
    if frame.aside:
        say(f"{frame.aside:,} held-out pairs that the run sets aside are left out.")
    return frame


def held_out_pairs(store: RunStore) -> Iterator[tuple[Prompt, Pair]]:
    """The pairs that `scan` lists, with their texts; repeated ones come again."""
    for row, _ in rows_for(store, "validation"):
        for pair in row.pairs:
            if _differs(pair) and not _set_aside(pair):
                yield row.prompt, pair


def count_held_out(store: RunStore) -> int:
    """How many such pairs the held-out split holds, those of retired groups among them."""
    pairs = (
        pair.id
        for row, _ in rows_for(store, "report", "held_out")
        for pair in row.pairs
        if _differs(pair) and not _set_aside(pair)
    )
    return len(set(pairs))


def _set_aside(pair: Pair) -> bool:
    """Whether a pair was judged and no preference is made of it all the same."""
    return pair.verdict is not None and bool(pair.note)


def _differs(pair: Pair) -> bool:
    return pair.note != "identical" and pair.first != pair.second


def _check(store: RunStore, frame: Frame) -> None:
    run = store.folder
    if not frame.rows:
        counts = store.row_counts()
        waiting = counts.get(("held_out", "waiting"), 0)
        done = sum(count for (_, status), count in counts.items() if status == "done")
        share = ((store.meta("config") or {}).get("split") or {}).get("held_out")
        setting = "" if share is None else f" (now {share})"
        advice = (
            f"{waiting:,} held-out prompts wait: finish the run with cai generate."
            if waiting
            else f"Use more prompts, or start a new run with a larger split.held_out{setting}."
        )
        raise UsageError(
            f"Got no open held-out row among {done:,} finished rows of {run}; people label "
            f"held-out pairs only, and at least one is needed. {advice}"
        )
    if not frame.pairs:
        raise UsageError(
            f"Got no pair of two different texts in {frame.rows:,} held-out rows of {run} "
            f"({frame.identical:,} pairs are of twice the same text); at least one is needed. "
            "Use more prompts or samples, or a higher temperature."
        )
    if not any(candidate.decided for candidate in frame.candidates):
        raise UsageError(
            f"Got no winner on any of {frame.pairs:,} held-out pairs of {run}; without a verdict "
            "that names one, there is no AI label to validate. See what the judge said with "
            f"cai show {run}, and mend its model or template."
        )
