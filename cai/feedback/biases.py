"""What thumbs go with besides quality: length, agreement, refusals. With intervals by user.

Thumbs are a poor guide to quality: raters reward agreement over truth (Sharma et al. 2023,
arXiv:2310.13548). These figures say how far, in the rows at hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.stats import t as student

from cai.validation.statistics.intervals import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.store import RunStore

__all__ = ["Bias", "Concentration", "biases", "concentration", "liked_share"]

_FEW = 10
"""Users below which the normal theory behind the interval is thin."""
_VOTES = "kind = 'thumbs' AND why NOT IN ('no consent', 'the same user said something later')"


@dataclass(frozen=True, slots=True)
class Bias:
    """How liked answers differ from disliked ones in one respect.

    `interval` is the mean among liked minus the mean among disliked answers, on the scale of
    `column`; None where it has none. `threshold` is the least difference that counts.
    """

    name: str
    column: str
    interval: Interval | None
    liked: int
    disliked: int
    users: int
    threshold: float

    @property
    def found(self) -> bool:
        """Whether the whole interval is on one side of 0, and the estimate beyond the threshold."""
        one = self.interval
        if one is None or one.low <= 0.0 <= one.high:
            return False
        return abs(one.estimate) > self.threshold

    @property
    def few(self) -> bool:
        """Whether there are too few users for the interval to be relied on."""
        return self.users < _FEW


@dataclass(frozen=True, slots=True)
class Concentration:
    """How far a few users make up the rows.

    `effective` is the inverse of the sum of squared shares: the number of users who, with equal
    parts, would be as concentrated. `top` is the largest number of rows of one user.
    """

    rows: int
    users: int
    top: int
    effective: float


_MEASURES = (
    ("length", "log_length", math.log(1.1)),
    ("agreement", "agrees", 0.05),
    ("refusals", "refuses", 0.05),
)


def biases(store: RunStore) -> tuple[Bias, ...]:
    """All of them, over every thumb that counts as a vote, whatever became of it.

    Memory: two numbers at a time; the sums of each user are made by SQLite.
    """
    return tuple(_bias(store, *measure) for measure in _MEASURES)


def _bias(store: RunStore, name: str, column: str, threshold: float) -> Bias:
    """Difference of two means with an interval whose variance is summed by user.

    With the influence of each row on the difference, (x − m_up)/n_up or −(x − m_down)/n_down,
    summed within each of G users: variance = G/(G − 1) · Σ sum², and Student's t with G − 1
    degrees of freedom (Cameron and Miller 2015, "A Practitioner's Guide to Cluster-Robust
    Inference").
    """
    users = n_up = n_down = 0
    x_up = x_down = 0.0
    for up, up_sum, down, down_sum in _sums(store, column):
        users, n_up, n_down = users + 1, n_up + up, n_down + down
        x_up, x_down = x_up + up_sum, x_down + down_sum
    if users < 2 or not n_up or not n_down:
        return Bias(name, column, None, n_up, n_down, users, threshold)
    liked, disliked = x_up / n_up, x_down / n_down
    square = 0.0
    for up, up_sum, down, down_sum in _sums(store, column):
        square += ((up_sum - up * liked) / n_up - (down_sum - down * disliked) / n_down) ** 2
    error = math.sqrt(square * users / (users - 1))
    half = float(student.ppf(0.975, users - 1)) * error
    difference = liked - disliked
    interval = Interval(difference, difference - half, difference + half, n=users)
    return Bias(name, column, interval, n_up, n_down, users, threshold)


def _sums(store: RunStore, column: str) -> Iterator[tuple[int, float, int, float]]:
    yield from store.select(
        f"SELECT sum(value = 'up'), sum(CASE value WHEN 'up' THEN {column} ELSE 0.0 END), "
        f"sum(value = 'down'), sum(CASE value WHEN 'down' THEN {column} ELSE 0.0 END) "
        f"FROM feedback WHERE {_VOTES} GROUP BY user"
    )


def concentration(store: RunStore, condition: str = "true") -> Concentration:
    """Of the rows that meet a condition in SQL."""
    (rows, users, top, squares), *_ = store.select(
        "SELECT coalesce(sum(n), 0), count(*), coalesce(max(n), 0), coalesce(sum(n * n), 0) FROM "
        f"(SELECT count(*) AS n FROM feedback WHERE {condition} GROUP BY user)"
    )
    return Concentration(rows, users, top, rows * rows / squares if squares else 0.0)


def liked_share(store: RunStore) -> Interval | None:
    """Share of thumbs that are up, as if they were independent; None without any."""
    (up, votes), *_ = store.select(
        f"SELECT coalesce(sum(value = 'up'), 0), count(*) FROM feedback WHERE {_VOTES}"
    )
    return wilson(up, votes) if votes else None
