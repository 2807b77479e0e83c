"""A rate with its denominator, and a histogram of fixed size."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Histogram", "Rate"]

_BINS = 100


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` out of `n`. A rate without its n says little, so they stay together."""

    count: int
    n: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]; None when n is 0."""
        return self.count / self.n if self.n else None

    def __str__(self) -> str:
        """For people: `12.5% (1 of 8)`, or `none` without cases."""
        return "none" if self.value is None else f"{self.value:.1%} ({self.count:,} of {self.n:,})"


@dataclass(slots=True)
class Histogram:
    """Values in [0, top], in 100 bins of equal width; the mean is exact, quantiles are not."""

    top: float
    counts: list[int] = field(default_factory=lambda: [0] * _BINS)
    total: float = 0.0

    @property
    def n(self) -> int:
        """How many values there are."""
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """The mean; None without values."""
        return self.total / self.n if self.n else None

    def add(self, value: float) -> None:
        """Count one value; one beyond the ends counts at the end."""
        bin_ = int(value / self.top * _BINS)
        self.counts[min(max(bin_, 0), _BINS - 1)] += 1
        self.total += value

    def quantile(self, q: float) -> float | None:
        """The middle of the bin that holds the quantile: off by at most half a bin.

        Args:
            q: in [0, 1].

        Returns:
            None without values.
        """
        wanted, seen = q * self.n, 0
        for bin_, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return (bin_ + 0.5) * self.top / _BINS
        return None

    def copy(self) -> Histogram:
        """An independent copy."""
        return Histogram(self.top, list(self.counts), self.total)
