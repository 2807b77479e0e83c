"""Which stratum a pair falls in, and how strata that are too small are put together."""

from __future__ import annotations

from bisect import bisect_right
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cai.records import Pair, Prompt
    from cai.validation.records import SamplingPlan, StratumKey

__all__ = ["Cell", "cell_of", "merged", "named", "stratum_of"]

Cell = tuple[tuple[int, str], ...]
"""Rank and name of a pair under each key. Cells that sort next to each other are neighbours."""

_BANDS = ((0.7, "p below 0.7"), (0.9, "p 0.7 to 0.9"))
"""Upper ends of the preferred answer's probability. Two cuts: finer bands would gain little,
because the bounds of the guessed variance (`allocation`) keep their rates close anyway."""

_WORDS = 60
"""Most characters of a tag or a principle in the name of a stratum."""


def cell_of(pair: Pair, prompt: Prompt, keys: Iterable[StratumKey]) -> Cell:
    """Where a pair belongs under each key.

    - confidence: no verdict, tie, then by the probability of the preferred answer, and last the
      pairs whose label was set by construction.
    - disagreement: whether the judge's two orders name different winners under any principle, or
      two principles do.
    - principle: the first one whose verdict names a winner, otherwise the first one asked.
    - tag: the prompt's first.
    """
    return tuple(_place(pair, prompt, key) for key in keys)


def stratum_of(plan: SamplingPlan, pair: Pair, prompt: Prompt) -> str:
    """The name of the plan's stratum that a pair falls in.

    Strata are stretches of the sorted cells. A cell that no pair had when the plan was drawn counts
    to the stratum before it.
    """
    cell = cell_of(pair, prompt, plan.stratify)
    at = bisect_right(plan.strata, cell, key=lambda stratum: stratum.cells[0])
    return plan.strata[max(at - 1, 0)].name


def merged(sizes: Mapping[Cell, int], *, least: int, most: int) -> list[tuple[Cell, ...]]:
    """Put neighbouring cells together until each has enough pairs and they are few enough.

    Within the same values of all earlier keys, a cell with too few pairs takes in the next one,
    and the last one joins the one before; what is then still too small goes on with the value
    of the key before, and so on. When more than `most` are left, the same is done with twice as
    many pairs each. It depends on nothing but the sizes. It happens before the draw, so that
    every pair of a stratum is drawn at the stratum's one rate and estimates stay unbiased.

    Args:
        sizes: pairs in each cell.
        least: fewest pairs of a stratum, as far as there are so many at all.
        most: most strata, at least 1.
    """
    cells = sorted(sizes)
    while True:
        runs = [tuple(run) for run, _ in _collapsed(cells, sizes, least, 0)]
        if len(runs) <= max(most, 1):
            return runs
        least *= 2


def named(runs: Sequence[tuple[Cell, ...]]) -> list[str]:
    """A name for each stratum: its values under each key. No two are the same."""
    names: dict[str, None] = {}
    for run in runs:
        name = ", ".join(_values([cell[i][1] for cell in run]) for i in range(len(run[0])))
        name = name or "all pairs"
        # Tags may read alike once they are shortened.
        while name in names:
            name += "'"
        names[name] = None
    return list(names)


def _place(pair: Pair, prompt: Prompt, key: StratumKey) -> tuple[int, str]:
    if key == "confidence":
        return _confidence(pair)
    if key == "disagreement":
        return (1, "judge disagrees with itself") if _disagrees(pair) else (0, "judge agrees")
    if key == "principle":
        return (0, _principle(pair))
    return (1, prompt.tags[0]) if prompt.tags else (0, "no tag")


def _confidence(pair: Pair) -> tuple[int, str]:
    if pair.constructed is not None:
        return (3 + len(_BANDS), "by construction")
    if pair.verdict is None or pair.p is None:
        return (0, "no verdict")
    if not pair.verdict.decided:
        return (1, "tie")
    sure = max(pair.p, 1 - pair.p)
    for rank, (end, name) in enumerate(_BANDS, 2):
        if sure < end:
            return (rank, name)
    return (2 + len(_BANDS), "p 0.9 or more")


def _disagrees(pair: Pair) -> bool:
    principles = pair.verdict.principles if pair.verdict else ()
    winners = {p.outcome for p in principles if p.outcome in ("first", "second")}
    return len(winners) > 1 or any(p.flipped for p in principles)


def _principle(pair: Pair) -> str:
    principles = pair.verdict.principles if pair.verdict else ()
    deciding = [p for p in principles if p.outcome in ("first", "second")]
    for principle in (*deciding, *principles):
        ids = principle.principle_ids
        return ids[0] if len(ids) == 1 else "whole constitution"
    return "no principle"


_Run = tuple[list[Cell], int]


def _collapsed(
    cells: Sequence[Cell], sizes: Mapping[Cell, int], least: int, depth: int
) -> list[_Run]:
    """Runs of neighbouring cells; when there are two or more, each has enough pairs."""
    if cells and depth == len(cells[0]):
        return [([cell], sizes[cell]) for cell in cells]
    runs: list[_Run] = []
    for _, group in groupby(cells, key=lambda cell: cell[depth]):
        runs += _collapsed(list(group), sizes, least, depth + 1)
    return _joined(runs, least)


def _joined(runs: Iterable[_Run], least: int) -> list[_Run]:
    out: list[_Run] = []
    for cells, size in runs:
        if out and out[-1][1] < least:
            before, so_far = out.pop()
            out.append((before + cells, so_far + size))
        else:
            out.append((cells, size))
    if len(out) > 1 and out[-1][1] < least:
        (before, so_far), (cells, size) = out[-2:]
        out[-2:] = [(before + cells, so_far + size)]
    return out


def _values(names: Sequence[str]) -> str:
    kinds = [_short(name) for name in dict.fromkeys(names)]
    return " or ".join(kinds) if len(kinds) <= 3 else f"{kinds[0]} … {kinds[-1]}"


def _short(name: str) -> str:
    return name if len(name) <= _WORDS else f"{name[:_WORDS]}…"
