"""Whether the newest checkpoint got worse, against which one, and where to go back to.

A figure has regressed where all of the 95 % interval of its change lies on the bad side, beyond a
tolerance. Which side is bad stands in the figure itself (`Figure.better`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from cai.drift.settings import Tolerances, Watched
from cai.evaluate.change import Sided, changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.drift.entry import Entry
    from cai.drift.ledger import Ledger
    from cai.evaluate.change import Change

__all__ = ["Against", "Verdict", "watch"]

Role = Literal["predecessor", "best"]


@dataclass(frozen=True, slots=True)
class Against:
    """A watched figure of the newest checkpoint less that of an earlier one.

    `regressed` says whether it is worse beyond the tolerance. Figures that are `unlike` (another
    judge, other questions) are told, and do not count.
    """

    entry: Entry
    role: Role
    change: Change
    tolerance: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether it can tell a regression at all."""
        return self.change.harm is not None and not self.change.unlike

    @property
    def regressed(self) -> bool:
        """Whether it does."""
        return self.counts and self.change.worse_by(self.tolerance)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of the newest checkpoint.

    Args:
        newest: None in an empty ledger.
        predecessor: None where there is none.
        found: every watched figure against the predecessor, and against the best before, where that
            is another one.
        roll_back: the latest checkpoint before the newest that has not regressed against any before
            it; None where nothing is to be rolled back.
    """

    newest: Entry | None
    predecessor: Entry | None
    found: tuple[Against, ...]
    roll_back: Entry | None = None
    unchecked: tuple[str, ...] = ()
    """Judges of the newest that nobody has checked on labelled data."""

    @property
    def regressions(self) -> tuple[Against, ...]:
        """Figures that got worse."""
        return tuple(one for one in self.found if one.regressed)

    @property
    def measured(self) -> tuple[Against, ...]:
        """Figures that could have told."""
        return tuple(one for one in self.found if one.counts)


def watch(
    ledger: Ledger,
    *,
    watched: Watched | None = None,
    tolerances: Tolerances | None = None,
    draws: int = 2000,
) -> Verdict:
    """Compare the newest checkpoint with its predecessor, and each figure with its best so far.

    Args:
        ledger: of the checkpoints.
        watched: figures; those over all cases when absent.
        tolerances: how much worse they may get; not at all when absent.
        draws: of each bootstrap.

    Raises:
        StoreError: the ledger or a result cannot be read.
    """
    return _Watch(ledger, watched or Watched(), tolerances or Tolerances(), draws).verdict()


class _Watch:
    def __init__(
        self, ledger: Ledger, watched: Watched, tolerances: Tolerances, draws: int
    ) -> None:
        self._entries = ledger.entries()
        self._ledger, self._watched, self._tolerances = ledger, watched, tolerances
        self._draws = draws
        self._pairs: dict[tuple[int, int], list[Change]] = {}

    def verdict(self) -> Verdict:
        if len(self._entries) < 2:
            return Verdict(self._entries[0] if self._entries else None, None, ())
        last = len(self._entries) - 1
        found = tuple(self._found(last))
        worse = any(one.regressed for one in found)
        return Verdict(
            self._entries[last],
            self._entries[last - 1],
            found,
            self._roll_back(last) if worse else None,
            self._unchecked(last),
        )

    def _unchecked(self, last: int) -> tuple[str, ...]:
        results = self._ledger.results(self._entries[last])
        judges = (judge for one in results for judge in one.evaluators)
        return tuple(dict.fromkeys(j.fingerprint for j in judges if not j.checked_on))

    def _found(self, last: int) -> Iterator[Against]:
        against = self._against(last, last - 1, "predecessor")
        yield from against
        keys = {key: None for n in range(last) for key in self._by_key(last, n)}
        for key in keys:
            number, best = self._best(last, key)
            if best is not None and number != last - 1:
                yield best

    def _against(self, later: int, earlier: int, role: Role) -> list[Against]:
        return [
            Against(self._entries[earlier], role, one, self._tolerances.of(one))
            for one in self._changes(later, earlier)
        ]

    def _by_key(self, later: int, earlier: int) -> dict[str, Against]:
        return {one.change.key: one for one in self._against(later, earlier, "best")}

    def _best(self, last: int, key: str) -> tuple[int, Against | None]:
        """The earlier checkpoint with the best value of a figure, the latest of equal ones."""
        best: Against | None = None
        place, record = -1, float("-inf")
        for number in range(last):
            one = self._by_key(last, number).get(key)
            if one is None or not one.counts or one.change.before.value is None:
                continue
            sign = 1.0 if one.change.after.better == "higher" else -1.0
            if (value := sign * one.change.before.value) >= record:
                place, record, best = number, value, one
        return place, best

    def _roll_back(self, last: int) -> Entry:
        for number in range(last - 1, 0, -1):
            earlier = (self._against(number, n, "best") for n in range(number - 1, -1, -1))
            if not any(one.regressed for found in earlier for one in found):
                return self._entries[number]
        return self._entries[0]

    def _changes(self, later: int, earlier: int) -> list[Change]:
        if (later, earlier) not in self._pairs:
            self._pairs[later, earlier] = self._watched.of(list(self._compared(later, earlier)))
        return self._pairs[later, earlier]

    def _compared(self, later: int, earlier: int) -> Iterator[Change]:
        ours, theirs = self._entries[later], self._entries[earlier]
        before = {one.kind: one for one in self._ledger.results(theirs)}
        for result in self._ledger.results(ours):
            if result.kind not in before:
                continue
            sides = Sided(result, ours.subject), Sided(before[result.kind], theirs.subject)
            for one in changes(*sides, draws=self._draws):
                # Results call the third model by a name; whether it is the same, the base tells.
                other = one.after.against and ours.base != theirs.base
                yield replace(one, unlike=(*one.unlike, "other opponent")) if other else one
