"""Stored verdicts put together again: as they were, or without one of their principles."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cai.judge.aggregate import hard_label
from cai.judge.ensemble import outcome_of, pool, pool_judges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cai.config import JudgeConfig
    from cai.constitution.models import Aggregate, Constitution
    from cai.records import PrincipleVerdict, VerdictOutcome

__all__ = ["Finding", "Pooling"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What all judges together say of a pair under one group of principles.

    Args:
        principle_ids: of the group.
        outcome: of the group alone.
        p: that the first answer is better.
        weight: of its principles together.
        level: of the one that goes first, 0 for the highest.
    """

    principle_ids: tuple[str, ...]
    outcome: VerdictOutcome
    p: float | None
    weight: float = 1.0
    level: int = 0


@dataclass(frozen=True)
class Pooling:
    """How `cai.judge.Jury` makes one verdict of several, for verdicts that are stored.

    Args:
        aggregate: over principles.
        tie_band: a p within ½ ± this is a tie.
        panel: over judges.
        weights: of principles, by id; 1 where there is none.
        levels: place of principles in the priorities, by id, 0 for the highest.
        fallback: name of the fallback judge; empty where there is none.
    """

    aggregate: Aggregate
    tie_band: float
    panel: Literal["mean", "majority"] = "mean"
    weights: Mapping[str, float] = field(default_factory=dict)
    levels: Mapping[str, int] = field(default_factory=dict)
    fallback: str = ""

    @classmethod
    def of(cls, judge: JudgeConfig, constitution: Constitution, fallback: str = "") -> Pooling:
        """The same from what a jury is made of.

        Args:
            judge: with `aggregate` as it is in force; the mean when absent.
            constitution: has weights and priorities.
            fallback: name of the fallback judge.
        """
        return cls(
            judge.aggregate or "mean",
            judge.tie_band,
            judge.panel,
            {p.id: p.weight for p in constitution.principles},
            {p.id: constitution.level(p.id) for p in constitution.principles},
            fallback,
        )

    def findings(self, verdicts: Iterable[PrincipleVerdict]) -> list[Finding]:
        """A finding for each group of principles, in the order in which they were asked about."""
        groups: dict[tuple[str, ...], list[PrincipleVerdict]] = defaultdict(list)
        for verdict in verdicts:
            if not verdict.superseded:
                groups[verdict.principle_ids].append(verdict)
        return [self._finding(ids, of_ids) for ids, of_ids in groups.items()]

    def pooled(self, findings: Sequence[Finding]) -> float | None:
        """One probability; None where no finding has one."""
        given = [(f.p, f.weight, f.level) for f in findings if f.p is not None]
        if not given:
            return None
        ps, weights, levels = zip(*given, strict=True)
        return pool(ps, weights, self.aggregate, levels=levels, tie_band=self.tie_band)

    def label(self, findings: Sequence[Finding]) -> VerdictOutcome | None:
        """`first`, `second` or `tie`; None where no finding has a probability."""
        p = self.pooled(findings)
        return None if p is None else hard_label(p, self.tie_band)

    def _finding(self, ids: tuple[str, ...], verdicts: Sequence[PrincipleVerdict]) -> Finding:
        # Where the fallback judge was heard, the others are superseded and not among these.
        members = [v for v in verdicts if not self.fallback or v.judge != self.fallback] or verdicts
        p = members[0].p if len(members) == 1 else pool_judges(members, self.panel)
        return Finding(
            ids,
            outcome_of(p, verdicts, self.tie_band),
            p,
            sum(self.weights.get(one, 1.0) for one in ids),
            min(self.levels.get(one, 0) for one in ids),
        )
