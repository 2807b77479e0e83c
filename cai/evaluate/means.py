"""Means over clusters of rows, of which some may have no value, and groups of like prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cai.evaluate.floor import LEAST_CLUSTERS, TooFew
from cai.evaluate.results import figure
from cai.store.signature import PERMUTATIONS, Signer
from cai.validation.statistics.sums import SumBootstrap

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cai.evaluate.results import Figure
    from cai.records import Prompt
    from cai.validation.statistics.intervals import Interval

    Values = Sequence[float | None]
    Floats = NDArray[np.float64]

__all__ = ["Means", "compared", "prompt_groups"]


class Means:
    """Means with 95 % intervals from one bootstrap over clusters (BCa), for many columns of values.

    Each takes (n,) values; None where there is none. Without any value the answer is None, and
    where fewer clusters have one than an interval takes, it is `TooFew`.
    """

    def __init__(self, clusters: Sequence[Hashable], *, draws: int = 2000, seed: int = 0) -> None:
        """Take the cluster of each row; the same seed gives the same intervals."""
        self._clusters = tuple(clusters)
        self._draws = SumBootstrap(clusters, draws=draws, seed=seed)

    def mean(self, values: Values) -> Interval | TooFew | None:
        """Of values of any size, such as scores or differences within pairs."""
        given = _numbers(values)
        there = ~np.isnan(given)
        if (few := self._few(there)) is not None:
            return few if few.n else None
        columns = np.column_stack([np.where(there, given, 0.0), there])
        return self._draws.interval(columns, _ratio)

    def share(self, values: Values) -> Interval | TooFew | None:
        """Of values from 0 to 1; Wilson's interval where all are 0 or all are 1."""
        given = _numbers(values)
        there = ~np.isnan(given)
        if (few := self._few(there)) is not None:
            return few if few.n else None
        return self._draws.share(given, there)

    def difference(self, after: Values, before: Values) -> Interval | TooFew | None:
        """The mean of after − before over the rows that have both."""
        both = zip(after, before, strict=True)
        return self.mean([None if a is None or b is None else a - b for a, b in both])

    def _few(self, there: NDArray[np.bool_]) -> TooFew | None:
        """The clusters that have a value, where those are not enough."""
        n = len({self._clusters[i] for i in np.flatnonzero(there)})
        return TooFew(n) if n < LEAST_CLUSTERS else None


def compared(
    name: str,
    columns: Mapping[str, Values],
    clusters: Sequence[Hashable],
    *,
    draws: int = 2000,
    seed: int = 0,
    **more: Any,
) -> Iterator[Figure]:
    """The mean of each subject, and the paired difference of each to the first.

    Args:
        name: of the figures; that of a difference has "difference" behind it.
        columns: (n,) values of the same rows for each subject.
        clusters: (n,) the cluster of each row.
        draws: of the bootstrap.
        seed: of the draws.
        more: further fields of the figures. With the unit `share` the values are from 0 to 1, and
            differences are in points.
    """
    means = Means(clusters, draws=draws, seed=seed)
    share = more.get("unit", "share") == "share"
    mean = means.share if share else means.mean
    for subject, values in columns.items():
        yield figure(name, subject, mean(values), **more)
    first, *others = columns
    gaps = {**more, "unit": "points"} if share else more
    for subject in others:
        found = means.difference(columns[subject], columns[first])
        yield figure(f"{name}, difference", subject, found, against=first, **gaps)


def prompt_groups(prompts: Iterable[Prompt], similarity: float) -> dict[str, str]:
    """The group of each prompt by its id, named after its first prompt.

    Prompts whose estimated Jaccard similarity (Broder 1997; see `cai.store.signature`) reaches
    `similarity` are in one group, and so are those that a chain of such prompts joins. Each prompt
    is compared with each: some seconds for some thousands of them.

    Args:
        prompts: in any order.
        similarity: as `split.similarity`, above 0.
    """
    unique = {prompt.id: prompt for prompt in prompts}
    signer, ids = Signer(), list(unique)
    signed = b"".join(signer.sign(prompt) for prompt in unique.values())
    table = np.frombuffer(signed, dtype="<u4").reshape(-1, PERMUTATIONS)
    # Of each group the first member, and of each prompt the group: merged into the earlier one.
    place: list[int] = []
    members: dict[int, list[int]] = {}
    for i in range(len(ids)):
        equal = np.count_nonzero(table[:i] == table[i], axis=1)
        near = sorted({place[j] for j in np.flatnonzero(equal >= similarity * PERMUTATIONS)})
        place.append(into := near[0] if near else i)
        members.setdefault(into, []).append(i)
        for other in near[1:]:
            for moved in members.pop(other):
                place[moved] = into
                members[into].append(moved)
    return {name: ids[place[i]] for i, name in enumerate(ids)}


def _numbers(values: Values) -> Floats:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _ratio(sums: Floats) -> Floats:
    top, bottom = sums[:, 0], sums[:, 1]
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
