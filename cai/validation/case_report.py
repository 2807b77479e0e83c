"""What the test cases of a constitution come to: by principle, all together, and what lacks cases.

Cases under the same principle share its wording, so that they pass and fail together. The interval
of the whole is therefore Wilson's with as many trials as the cases are worth (Rao & Scott 1992, A
Simple Method for the Analysis of Clustered Binary Data, §2): with n cases in m clusters, of which
cluster j has n_j cases and x_j passes, and p the share of all,

    v = m / (m − 1) · Σ_j (x_j − n_j p)² / n²,   d = v / (p (1 − p) / n),

and the trials are n / d. Here d is at least 1: cases never count for more than they are.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.case_files import FoundCase
    from cai.constitution.models import Constitution
    from cai.judge.cases import CaseResult
    from cai.validation.statistics.intervals import Interval

__all__ = [
    "CHANCE",
    "FEW",
    "WHOLE",
    "CaseCounts",
    "CaseReport",
    "Coverage",
    "case_report",
    "clustered_share",
]

CHANCE = 0.5
"""Share of cases that a judge passes who tosses a coin."""

FEW = 5
"""Cases of a principle below which a report names it. Of 5 that all pass, Wilson's interval still
begins at 57 %, so this is the least that sets a judge apart from a coin."""

WHOLE = "whole constitution"
"""Stands for the principle of cases that name none."""


@dataclass(frozen=True)
class CaseCounts:
    """Outcomes of cases. `failed` includes `ties`; `silent` have no verdict and count as neither.

    `share` is passed of passed and failed; None where there are none. Of one principle its interval
    is Wilson's, over cases.
    """

    principle: str
    cases: int
    passed: int
    failed: int
    ties: int
    silent: int
    flaky: int
    share: Interval | None


@dataclass(frozen=True)
class Coverage:
    """How many cases each principle has, whether or not they were run."""

    principles: int
    without: tuple[str, ...]
    few: tuple[tuple[str, int], ...]
    """Those with fewer than `FEW`, and how many they have; those without any are not among them."""


@dataclass(frozen=True)
class CaseReport:
    """All results. The interval of `total` takes the principles as clusters."""

    total: CaseCounts
    principles: tuple[CaseCounts, ...]
    outcomes: dict[str, int]
    doubts: dict[str, int]
    coverage: Coverage
    repeats: int
    asked_anew: int
    """Cases whose repeats asked something new."""


def case_report(
    results: Sequence[CaseResult], constitution: Constitution, cases: Sequence[FoundCase]
) -> CaseReport:
    """Count results.

    Args:
        results: at least one.
        constitution: that was tested.
        cases: all that there are for it, also those that were not run.
    """
    groups: dict[str, list[CaseResult]] = {}
    for result in results:
        groups.setdefault(result.found.case.principle or WHOLE, []).append(result)
    names = [result.found.case.principle or WHOLE for result in results]
    share = clustered_share([result.passed for result in results], names)
    return CaseReport(
        total=_counts("all", results, share),
        principles=tuple(_counts(name, groups[name], _wilson(groups[name])) for name in groups),
        outcomes=dict(Counter(result.outcome for result in results)),
        doubts=dict(Counter(doubt for result in results for doubt in result.flaky)),
        coverage=_coverage(constitution, cases),
        repeats=max(len(result.readings) for result in results),
        asked_anew=sum(result.asked_anew for result in results),
    )


def clustered_share(passed: Sequence[bool | None], clusters: Sequence[str]) -> Interval | None:
    """The share of passes with an interval for clustered cases; `n` is what they are worth.

    Args:
        passed: of each case; None where there is no verdict, which does not count.
        clusters: the cluster of each case.

    Returns:
        None where no case has a verdict.
    """
    told = [
        (name, bool(one)) for name, one in zip(clusters, passed, strict=True) if one is not None
    ]
    if not told:
        return None
    sizes = Counter(name for name, _ in told)
    passes = Counter(name for name, one in told if one)
    n, m = len(told), len(sizes)
    share = passes.total() / n
    effect = 1.0
    # With one cluster, and where all pass or none, nothing can be said of the effect.
    if m > 1 and 0 < share < 1:
        spread = math.fsum((passes[name] - size * share) ** 2 for name, size in sizes.items())
        effect = max(1.0, m / (m - 1) * spread / (n * share * (1 - share)))
    worth = max(1, int(n / effect + 1e-9))
    return wilson(min(share * worth, worth), worth)


def _counts(name: str, results: Sequence[CaseResult], share: Interval | None) -> CaseCounts:
    told = Counter(result.passed for result in results)
    return CaseCounts(
        principle=name,
        cases=len(results),
        passed=told[True],
        failed=told[False],
        ties=sum(result.outcome == "tie" for result in results),
        silent=told[None],
        flaky=sum(bool(result.flaky) for result in results),
        share=share,
    )


def _wilson(results: Sequence[CaseResult]) -> Interval | None:
    told = [result.passed for result in results if result.passed is not None]
    return wilson(sum(told), len(told)) if told else None


def _coverage(constitution: Constitution, cases: Sequence[FoundCase]) -> Coverage:
    counts = Counter(found.case.principle for found in cases)
    ids = [p.id for p in constitution.principles]
    return Coverage(
        len(ids),
        tuple(one for one in ids if not counts[one]),
        tuple((one, counts[one]) for one in ids if 0 < counts[one] < FEW),
    )
