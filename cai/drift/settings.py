"""Which figures are watched, and how much worse they may get."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cai.errors import UsageError
from cai.evaluate.change import headline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cai.evaluate.change import Change

__all__ = ["Tolerances", "Watched"]


@dataclass(frozen=True, slots=True)
class Watched:
    """Patterns such as `refusal/*` or `*/over_refusal/*`; figures over all cases when empty."""

    patterns: tuple[str, ...] = ()

    def of(self, changes: Sequence[Change]) -> list[Change]:
        """The changes that are meant."""
        if not self.patterns:
            return headline(changes)
        return [one for one in changes if any(fnmatchcase(one.key, p) for p in self.patterns)]


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How much worse a figure may get: patterns with values; the last one that fits counts.

    Values are in the unit of the figure: 0.02 are two points of a share, or 0.02 of a score.
    """

    values: tuple[tuple[str, float], ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Tolerances:
        """From `0.02` for all figures, and `PATTERN=0.5`.

        Raises:
            UsageError: one is not of that form.
        """
        found = []
        for text in texts:
            pattern, _, value = text.rpartition("=")
            try:
                number = float(value)
            except ValueError:
                number = -1.0
            if not 0.0 <= number < float("inf"):
                raise UsageError(
                    f"--tolerance {text}: expected a number of at least 0, or PATTERN=NUMBER such "
                    "as adherence/*=0.5."
                )
            found.append((pattern or "*", number))
        return cls(tuple(found))

    def of(self, one: Change) -> float:
        """That of a figure; 0 where no pattern fits."""
        fitting = [value for pattern, value in self.values if fnmatchcase(one.key, pattern)]
        return fitting[-1] if fitting else 0.0
