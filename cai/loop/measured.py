"""What the stored run tells about the calls that are still to come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from cai.store import rows_for
from cai.store.spending import ROLE_OF, calls_of
from cai.store.statistics import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.records import Stage
    from cai.store import RunStore
    from cai.store.facts import Spent, StageTotals

__all__ = ["ENOUGH_CALLS", "Measured", "measure"]

ENOUGH_CALLS = 20
"""Answers of a stage from which their mean length is told."""
_ROWS = 1_000


@dataclass(frozen=True)
class Measured:
    """A look at the stored run.

    `finished` counts the rows that are done under the stored plan, `begun` those that were begun
    and are not. `calls` are the mean calls of each stage over the first `rows` finished ones,
    `pairs` the mean of judged pairs, and `clean` the share of their critiques that found nothing to
    mend, as far as the run left such answers alone. `totals` are calls and tokens over all answered
    calls, by stage. `by_judge` has the share of each judge where there are several.
    """

    spent: Spent
    finished: int
    begun: int
    rows: int
    pairs: float
    clean: Rate
    calls: Mapping[Stage, float]
    totals: Mapping[Stage, StageTotals]
    by_judge: Mapping[Stage, Mapping[str, float]]

    def shares(self, stage: Stage) -> Mapping[str, float]:
        """The roles that answer a stage, and the share of its calls that each has answered."""
        return self.by_judge.get(stage) or {ROLE_OF[stage]: 1.0}

    @property
    def lengths(self) -> dict[Stage, int]:
        """Mean tokens of an answer, by stage, where there were enough."""
        return {
            stage: max(1, round(total.completion_tokens / total.calls))
            for stage, total in self.totals.items()
            if total.calls >= ENOUGH_CALLS
        }

    def answered(self, stage: Stage, calls_per_row: float) -> float:
        """How many calls of the rows that were begun are answered already.

        Args:
            stage: of the calls.
            calls_per_row: how many a row needs.
        """
        if stage not in self.totals:
            return 0.0
        of_finished = self.calls.get(stage, calls_per_row) * self.finished
        open_calls = max(self.totals[stage].calls - of_finished, 0.0)
        # Answers of earlier plans are among the totals; rows that were begun have no use for more.
        return min(open_calls, calls_per_row * self.begun)


def measure(store: RunStore) -> Measured:
    """Look at a run that has begun.

    Raises:
        StoreError: the store cannot be read.
    """
    counts: Counter[Stage] = Counter()
    rows = pairs = critiques = clean = 0
    for row, _ in islice(rows_for(store, "report"), _ROWS):
        rows += 1
        counts.update(stage for stage, _ in calls_of(row))
        pairs += sum(pair.verdict is not None for pair in row.pairs)
        for revision in (revision for chain in row.revisions for revision in chain):
            critiques += bool(revision.critique_request_id)
            clean += revision.outcome == "skipped"
    told = store.meta("config")["loop"]["skip_when_clean"]
    seen = Counter[str]()
    for (_, status), n in store.row_counts().items():
        seen[status] += n
    return Measured(
        spent=store.spent(),
        finished=seen["done"],
        begun=seen["waiting"] + seen["failed"],
        rows=rows,
        pairs=pairs / rows if rows else 0.0,
        clean=Rate(clean, critiques if told else 0),
        calls={stage: count / rows for stage, count in counts.items()},
        totals={total.stage: total for total in store.totals()},
        by_judge=_by_judge(store),
    )


def _by_judge(store: RunStore) -> dict[Stage, dict[str, float]]:
    roles: Mapping[str, str] = store.meta("fingerprints") or {}
    names = {roles[r]: r for r in roles if r.startswith("judges.") or r == "fallback_judge"}
    if not names:
        return {}
    # A panel stands in the place of the one judge; beside a fallback there is one.
    if not any(role.startswith("judges.") for role in names.values()):
        names[roles["judge"]] = "judge"
    counts: dict[Stage, Counter[str]] = {}
    for found in store.models():
        if ROLE_OF[found.stage] == "judge" and found.fingerprint in names:
            counts.setdefault(found.stage, Counter())[names[found.fingerprint]] += found.calls
    return {
        stage: {role: n / count.total() for role, n in count.items()}
        for stage, count in counts.items()
    }
