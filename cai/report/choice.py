"""Which rows are shown: some drawn by a hash, and the worst ones. Held-out rows are not read."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.hashing import unit_interval
from cai.report.transcripts import show_row
from cai.store import rows_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cai.quality import Finding
    from cai.records import Row, Split, Verdict
    from cai.report.transcripts import ShownRow
    from cai.store import RunStore

__all__ = ["WORST", "Fault", "drawn_rows", "faults_of", "worst_rows"]

WORST = (
    "Worst are the rows with the highest sum of three numbers, each from 0 to 1: the largest "
    "disagreement of a judge's two orders, |p(AB) − p(BA)| with both read as the probability of "
    "the same answer; the share of revisions that leaked, were cut off, refused or left nothing; "
    "and ½ for a row that a quality check of level warning points at, 1 for level error. Rows "
    "with a sum of 0 are not shown."
)
"""The definition, for people."""

SHOWN = 10
_FAILED = ("leaked", "truncated", "refused", "empty")
_WEIGHTS = {"warning": 0.5, "error": 1.0}


@dataclass(frozen=True, slots=True)
class Fault:
    """How bad a row is, from 0 to 3, and why in words."""

    score: float
    reasons: tuple[str, ...]


def drawn_rows(
    store: RunStore, principles: Mapping[str, str], seed: int, count: int = SHOWN
) -> tuple[ShownRow, ...]:
    """Rows that a hash of the seed and their ids draws: the same ones in every run of this."""
    drawn = heapq.nsmallest(
        count, _rows(store), key=lambda row: unit_interval("report", seed, row[0].prompt.id)
    )
    return tuple(show_row(row, split, principles) for row, split in drawn)


def worst_rows(
    store: RunStore,
    principles: Mapping[str, str],
    findings: Mapping[str, Sequence[Finding]],
    count: int = SHOWN,
) -> tuple[ShownRow, ...]:
    """The rows with most faults, worst first.

    Args:
        store: the run.
        principles: text of each principle by its id.
        findings: that point at a row, by the id of its prompt.
        count: most rows.
    """
    scored = (
        (faults_of(row, findings.get(row.prompt.id, ())), row, split) for row, split in _rows(store)
    )
    worst = heapq.nsmallest(
        count,
        (one for one in scored if one[0].score > 0),
        key=lambda one: (-one[0].score, one[1].prompt.id),
    )
    return tuple(show_row(row, split, principles, fault.reasons) for fault, row, split in worst)


def faults_of(row: Row, findings: Sequence[Finding] = ()) -> Fault:
    """Score a row as `WORST` says."""
    score, reasons = 0.0, []
    gaps = [gap for pair in row.pairs for gap in _gaps(pair.verdict)]
    if gaps and max(gaps) > 0:
        score += max(gaps)
        reasons.append(f"the two orders differ by {max(gaps):.2f}")
    outcomes = [revision.outcome for chain in row.revisions for revision in chain]
    failed = [outcome for outcome in outcomes if outcome in _FAILED]
    if failed:
        score += len(failed) / len(outcomes)
        names = ", ".join(dict.fromkeys(failed))
        reasons.append(f"{len(failed)} of {len(outcomes)} revisions failed ({names})")
    score += max((_WEIGHTS.get(f.level, 0.0) for f in findings), default=0.0)
    reasons += [f"{f.check} ({f.level})" for f in findings if f.level in _WEIGHTS]
    return Fault(score, tuple(reasons))


def _gaps(verdict: Verdict | None) -> Iterator[float]:
    for one in verdict.principles if verdict else ():
        shown = {o.order: o.p_shown_first for o in one.orders}
        ab, ba = shown.get("ab"), shown.get("ba")
        if ab is not None and ba is not None:
            yield abs(ab + ba - 1.0)


def _rows(store: RunStore) -> Iterator[tuple[Row, Split]]:
    # The purposes that open train and dev. The purpose "report" is for counts, never for texts.
    yield from rows_for(store, "training")
    yield from rows_for(store, "calibration")
