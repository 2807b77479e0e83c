"""Results of test cases: progress, tables, and JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from cai.cli.constitution.call_progress import CallProgress
from cai.cli.judge.tables import share
from cai.cli.tables import print_heading, print_table, print_text
from cai.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cai.config import Config
    from cai.constitution import Constitution
    from cai.constitution.case_files import FoundCase
    from cai.judge.cases import CaseResult
    from cai.validation.case_report import CaseCounts, CaseReport, Coverage
    from cai.validation.statistics.intervals import Interval

__all__ = ["CaseProgress", "Subject", "print_cases", "print_report", "write_json"]

_SHOWN = 100
"""Most failures in the table; the JSON has all."""


@dataclass(frozen=True)
class Subject:
    """What was tested: a constitution, by a judge whose probabilities tie within a band."""

    constitution: Constitution
    judge: str
    tie_band: float

    @classmethod
    def by(cls, config: Config, constitution: Constitution) -> Self:
        """With the judges of a config, by engine and model."""
        roles = config.models.roles
        names = [f"{roles[r].engine}/{roles[r].model}" for r in roles if "judge" in r]
        return cls(constitution, listed(names), config.judge.tie_band)


class CaseProgress(CallProgress):
    """Counts cases, and those that failed."""

    _spins = True

    def show(self, results: Sequence[CaseResult]) -> None:
        """Tell how far it is."""
        done, failed = len(results), sum(result.passed is False for result in results)
        self._tell(done, f"{done:,} of {counted(self._total, 'case')}, {failed:,} failed")


def print_cases(cases: Sequence[FoundCase]) -> None:
    """Which cases there are."""
    from cai.validation.case_report import WHOLE

    print_table(
        ("Case", "Principle", "Answers", "Tags", "File"),
        [
            (
                one.case.id,
                one.case.principle or WHOLE,
                "two" if one.case.better is not None else "one",
                ", ".join(one.case.tags),
                one.source,
            )
            for one in cases
        ],
    )
    print_text(f"{counted(len(cases), 'case')}.")


def print_report(report: CaseReport, results: Sequence[CaseResult], tested: Subject) -> None:
    """Print all tables; results are shown in their order."""
    print_heading(f"{tested.constitution.label}: {counted(report.total.cases, 'case')}")
    print_table(("What", "How much"), [("Judge", tested.judge), *_totals(report)])
    print_heading("By principle")
    print_table(
        ("Principle", "Cases", "Passed", "Failed", "No verdict", "Flaky", "Share passed"),
        [_counts(one) for one in report.principles],
        numbers=range(1, 6),
    )
    print_text(
        f"A case passes with p above {0.5 + tested.tie_band:g}; p is that of what it expects."
    )
    _print_failures(results)
    _print_silent([result for result in results if result.passed is None])
    _print_coverage(report.coverage)


def _totals(report: CaseReport) -> list[tuple[str, str]]:
    total, outcomes, doubts = report.total, report.outcomes, report.doubts
    silent = {k: outcomes.get(k, 0) for k in ("refused", "unparsed", "truncated", "unasked")}
    rows = [
        ("Passed", f"{total.passed:,}"),
        ("Failed", f"{total.failed:,} ({total.ties:,} of them ties)"),
        ("No verdict", _told(total.silent, [(n, name) for name, n in silent.items() if n])),
        ("Flaky", _told(total.flaky, [(n, _DOUBTS[name]) for name, n in doubts.items()])),
        ("Share passed", _share(total.share)),
        ("Chance", _chance(total.share)),
    ]
    if report.repeats > 1:
        rows.append(("Repeats", _repeats(report)))
    return rows


_DOUBTS = {
    "orders": "whose orders disagree",
    "repeats": "whose repeats disagree",
    "margin": "close to one half",
}


def _told(count: int, parts: Iterable[tuple[int, str]]) -> str:
    listed_parts = ", ".join(f"{n:,} {name}" for n, name in parts)
    return f"{count:,} ({listed_parts})" if listed_parts else f"{count:,}"


def _share(interval: Interval | None) -> str:
    if interval is None:
        return "no verdict"
    return f"{share(interval)}; clustered by principle, worth {counted(interval.n, 'case')}"


def _chance(interval: Interval | None) -> str:
    from cai.validation.case_report import CHANCE

    line = f"{CHANCE:.0%}"
    if interval is None:
        return line
    if interval.low > CHANCE:
        return f"{line}, and the judge is better"
    if interval.high < CHANCE:
        return f"{line}, and the judge is worse"
    return f"{line}, from which these cases cannot tell the judge apart"


def _repeats(report: CaseReport) -> str:
    if report.asked_anew:
        return f"{report.repeats}, which asked anew in {counted(report.asked_anew, 'case')}"
    return (
        f"{report.repeats}, which asked nothing new: this judge is read from log-probabilities, "
        "which no seed changes"
    )


def _counts(one: CaseCounts) -> tuple[str, int, int, int, int, int, str]:
    told = share(one.share) if one.share else "no verdict"
    return one.principle, one.cases, one.passed, one.failed, one.silent, one.flaky, told


def _print_failures(results: Sequence[CaseResult]) -> None:
    from cai.validation.case_report import WHOLE

    failed = [result for result in results if result.passed is False]
    if not failed:
        return
    print_heading("Failed")
    print_table(
        ("Case", "Principle", "p", "Shown first", "Shown second", "Why", "File"),
        [
            (
                result.found.case.id,
                result.found.case.principle or WHOLE,
                f"{result.p:.3f}",
                *(("", "") if result.orders is None else map("{:.3f}".format, result.orders)),
                ", ".join((result.outcome, *(_DOUBTS[doubt] for doubt in result.flaky))),
                result.found.source,
            )
            for result in failed[:_SHOWN]
        ],
        numbers=(2, 3, 4),
    )
    if len(failed) > _SHOWN:
        print_text(f"{len(failed) - _SHOWN:,} more: see --json.")


def _print_silent(silent: Sequence[CaseResult]) -> None:
    if not silent:
        return
    print_heading("No verdict")
    print_table(
        ("Case", "Outcome", "Why", "File"),
        [
            (one.found.case.id, one.outcome, " ".join(one.reason.split()), one.found.source)
            for one in silent[:_SHOWN]
        ],
    )
    if len(silent) > _SHOWN:
        print_text(f"{len(silent) - _SHOWN:,} more: see --json.")


def _print_coverage(coverage: Coverage) -> None:
    from cai.validation.case_report import FEW

    print_heading("Coverage")
    covered = coverage.principles - len(coverage.without)
    print_text(f"{covered} of {counted(coverage.principles, 'principle')} have cases.")
    if coverage.without:
        print_text(f"None: {listed(coverage.without)}.")
    if coverage.few:
        few = listed(f"{name} ({count})" for name, count in coverage.few)
        print_text(f"Fewer than {FEW}: {few}.")


def write_json(
    path: Path, report: CaseReport, results: Sequence[CaseResult], tested: Subject
) -> None:
    """Write report and results as JSON."""
    from cai.hashing import canonical_json

    constitution = tested.constitution
    written = {
        "constitution": {"label": constitution.label, "hash": constitution.hash},
        "judge": tested.judge,
        "tie_band": tested.tie_band,
        "report": asdict(report),
        "results": [_as_json(result) for result in results],
    }
    path.write_bytes(canonical_json(written))


def _as_json(result: CaseResult) -> dict[str, object]:
    case = result.found.case
    return {
        "id": case.id,
        "file": result.found.source,
        "principle": case.principle,
        "kind": "answer" if case.better is None else "pair",
        "outcome": result.outcome,
        "p": result.p,
        "orders": result.orders,
        "flaky": result.flaky,
        "reason": result.reason,
        "readings": [{"outcome": r.outcome, "p": r.p, "orders": r.orders} for r in result.readings],
    }
