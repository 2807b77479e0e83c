"""Labelled pairs that wait for a second opinion."""

from __future__ import annotations

import heapq
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cai.hashing import canonical_json, content_hash, unit_interval
from cai.intake.rows import prompt_of_row
from cai.records import Pair, Prompt, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.quality.records import Sample

__all__ = ["Contest", "Waiting", "contests_of"]

_NOWHERE = (Path(), 0)
"""A prompt's place is for people, who know it by its row here."""


@dataclass(frozen=True, slots=True)
class Contest:
    """A pair of a row; `first` says whether its first answer is the one that the row prefers."""

    row: int
    prompt: Prompt
    pair: Pair
    first: bool

    @property
    def chosen(self) -> str:
        """The answer that the row prefers."""
        return self.pair.first if self.first else self.pair.second


def contests_of(sample: Sample) -> tuple[Contest, ...]:
    """The pairs of a comparison; with several answers, the best one against each of the others.

    They are put as `cai judge relabel` puts them, and those of a run as the run did, so that a
    judge who was asked then is asked the same.

    Raises:
        InputError: the prompt is no conversation that ends with a user turn.
    """
    turns = [{"role": turn.role, "content": turn.content} for turn in sample.prompt]
    prompt = prompt_of_row({"messages": turns, "tags": list(sample.tags)}, _NOWHERE)
    if sample.pair is not None:
        first = sample.pair.first == sample.target
        return (Contest(sample.index, prompt, sample.pair, first),)
    best = (sample.target or "").strip()
    found = []
    for other in dict.fromkeys(text.strip() for text in sample.others):
        if other and best and other != best:
            both = sorted((best, other), key=lambda text: content_hash([prompt.id, text]))
            pair = Pair(prompt.id, "samples", both[0], both[1], "sample 0", "sample 1")
            found.append(Contest(sample.index, prompt, pair, both[0] == best))
    return tuple(found)


class Waiting:
    """Contests in the order of their rows: all, in a temporary file, or a draw, in memory.

    Rows are drawn by a hash of their texts: a larger draw holds the smaller one, and the order of
    the file decides nothing.
    """

    def __init__(self, limit: int | None) -> None:
        """Wait for all, or for the contests of at most `limit` rows."""
        self.rows = 0
        self._limit = limit
        self._drawn: list[tuple[float, int, tuple[Contest, ...]]] = []
        # It lives as long as this object; a `with` block would close it at once.
        self._file = tempfile.TemporaryFile()  # noqa: SIM115

    def add(self, contests: tuple[Contest, ...]) -> None:
        """Take the contests of a row."""
        self.rows += 1
        if self._limit is None:
            self._file.writelines(canonical_json(one) + b"\n" for one in contests)
            return
        texts = sorted({text for one in contests for text in (one.pair.first, one.pair.second)})
        place = unit_interval("second opinion", contests[0].prompt.id, texts)
        entry = (-place, -contests[0].row, contests)
        if len(self._drawn) < self._limit:
            heapq.heappush(self._drawn, entry)
        else:
            heapq.heappushpop(self._drawn, entry)

    def __iter__(self) -> Iterator[Contest]:
        """Yield the contests; a file that is read cannot be added to."""
        if self._limit is None:
            self._file.seek(0)
            for line in self._file:
                yield load(Contest, line)
        for _, _, contests in sorted(self._drawn, key=lambda entry: entry[2][0].row):
            yield from contests

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
