"""Verdicts under several principles as arrays, and what they would be without each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cai.judge.repool import Finding, Pooling
    from cai.validation.bias.records import JudgedPair

__all__ = ["LeaveOut", "leave_out", "name_of"]

_CODES: Mapping[str | None, float] = {"first": 1.0, "second": -1.0, "tie": 0.0}


@dataclass(frozen=True)
class LeaveOut:
    """Pairs by principles. Labels are 1 for the first answer, −1 for the second, 0 for a tie.

    Args:
        names: (k,) of the principles.
        groups: (n,) prompt groups.
        asked: (n, k) the pair was judged under the principle.
        p: (n, k) that the first answer is better under the principle; NaN where it gave none.
        labels: (n, k) of the principle alone; NaN likewise.
        whole: (n,) label of all principles together; NaN where none gave a probability.
        without: (n, k) label of all others; NaN where the principle or all others gave none.
        own: (n,) label that the run has stored for the pair; NaN where it is none.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    asked: NDArray[np.bool_]
    p: NDArray[np.float64]
    labels: NDArray[np.float64]
    whole: NDArray[np.float64]
    without: NDArray[np.float64]
    own: NDArray[np.float64]

    @property
    def tried(self) -> NDArray[np.bool_]:
        """(n, k) whether the principle can be left out: it and another one gave a probability."""
        tried: NDArray[np.bool_] = ~np.isnan(self.without)
        return tried

    @cached_property
    def group_ids(self) -> NDArray[np.intp]:
        """(n,) the prompt groups as numbers from 0."""
        return np.unique(self.groups, return_inverse=True)[1]


def leave_out(pairs: Sequence[JudgedPair], pooling: Pooling) -> LeaveOut:
    """Pool the stored verdicts of each pair, and pool them again without each principle.

    Args:
        pairs: with their ballots.
        pooling: as the run's judge pools.
    """
    found = [pooling.findings(pair.ballots) for pair in pairs]
    names = tuple(sorted({name_of(one) for findings in found for one in findings}))
    column = {name: k for k, name in enumerate(names)}
    shape = (len(pairs), len(names))
    p, labels, without = (np.full(shape, np.nan) for _ in range(3))
    asked = np.zeros(shape, dtype=np.bool_)
    whole = np.full(len(pairs), np.nan)
    for i, findings in enumerate(found):
        given = [one for one in findings if one.p is not None]
        whole[i] = _code(pooling.label(given))
        for one in findings:
            asked[i, column[name_of(one)]] = True
        for place, one in enumerate(given):
            k = column[name_of(one)]
            p[i, k] = one.p
            labels[i, k] = _code(one.outcome)
            without[i, k] = _code(pooling.label(given[:place] + given[place + 1 :]))
    own = np.array([_code(pair.outcome) for pair in pairs], dtype=np.float64)
    groups = tuple(pair.group for pair in pairs)
    return LeaveOut(names, groups, asked, p, labels, whole, without, own)


def name_of(finding: Finding) -> str:
    """The principle, or how many were shown together."""
    ids = finding.principle_ids
    return ids[0] if len(ids) == 1 else f"{len(ids)} principles together"


def _code(outcome: str | None) -> float:
    return _CODES.get(outcome, np.nan)
