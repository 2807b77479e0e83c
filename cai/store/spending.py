"""What a run has used up, in tokens and dollars: by role, stage, model, row and pair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.records import Row, Stage
    from cai.store.facts import ModelCalls, Spent
    from cai.store.run import RunStore

__all__ = ["ROLE_OF", "RowMeter", "RowSpending", "Spending", "calls_of", "dollars", "spending"]

ROLE_OF: dict[Stage, Literal["policy", "critic", "judge"]] = {
    "sample": "policy",
    "critique": "critic",
    "revise": "critic",
    "reason": "judge",
    "judge": "judge",
    "score": "judge",
}
"""The role that answers each stage."""


@dataclass(frozen=True, slots=True)
class RowSpending:
    """What finished rows have used up, each with all of its calls.

    Tokens are read and generated together. The figures are None without rows. Dollars leave out
    calls without a known price; they are None when no call has cost anything, and so is
    `max_tokens`, because rows are then not looked at one by one.
    """

    rows: int = 0
    mean_tokens: float | None = None
    max_tokens: int | None = None
    mean_usd: float | None = None
    max_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """What a run has used up over its whole life.

    `models` are answered calls by stage and model; one that answered under several revisions is
    there once. `spent` also counts attempts that were lost and possibly billed. `pairs` are those
    of finished rows that were judged. `usd_per_1000_pairs` divides all dollars by them; it is None
    without pairs, and when a call has no known price.
    """

    models: tuple[ModelCalls, ...]
    spent: Spent
    rows: RowSpending
    pairs: int

    @property
    def usd_per_1000_pairs(self) -> float | None:
        """Dollars, lost attempts included, for a thousand judged pairs."""
        if not self.pairs or self.spent.unpriced_calls:
            return None
        return 1000.0 * self.spent.usd / self.pairs


class RowMeter:
    """Adds up what rows have used, one row at a time, with memory that does not grow.

    Args:
        store: the run. When none of its calls has cost anything, rows are only counted.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        spent = store.spent()
        self._worth_a_look = spent.usd > 0
        self._run_tokens = sum(t.prompt_tokens + t.completion_tokens for t in store.totals())
        self._rows = self._tokens = self._max_tokens = 0
        self._usd = self._max_usd = 0.0

    def add(self, row: Row) -> None:
        """Count one finished row."""
        self._rows += 1
        if not self._worth_a_look:
            return
        bill = self._store.bill(request_id for _, request_id in calls_of(row))
        tokens = bill.prompt_tokens + bill.completion_tokens
        self._tokens += tokens
        self._usd += bill.usd
        self._max_tokens = max(self._max_tokens, tokens)
        self._max_usd = max(self._max_usd, bill.usd)

    def result(self) -> RowSpending:
        """The figures of the rows so far."""
        n = self._rows
        if not n:
            return RowSpending()
        if not self._worth_a_look:
            return RowSpending(n, self._run_tokens / n)
        return RowSpending(n, self._tokens / n, self._max_tokens, self._usd / n, self._max_usd)


def calls_of(row: Row) -> Iterator[tuple[Stage, str]]:
    """Stage and request id of every call that a row is made of, each once.

    A judge's question for log-probabilities that brought none is not among them.
    """
    seen: set[str] = set()
    for stage, request_id in _calls_of(row):
        if request_id and request_id not in seen:
            seen.add(request_id)
            yield stage, request_id


def _calls_of(row: Row) -> Iterator[tuple[Stage, str]]:
    for sample in (*row.samples, *row.contrast):
        yield "sample", sample.request_id
    for chain in row.revisions:
        for revision in chain:
            yield "critique", revision.critique_request_id
            yield "revise", revision.revise_request_id
    for pair in row.pairs:
        for verdict in pair.verdict.principles if pair.verdict else ():
            for order in verdict.orders:
                # First, because each is among the ids of its order, too.
                for reasoning in order.reasonings:
                    yield "reason", reasoning.request_id
                yield "judge", order.request_id
                for request_id in order.more_request_ids:
                    yield "judge", request_id
            for score in verdict.scores:
                yield "score", score.request_id
                for request_id in score.more_request_ids:
                    yield "score", request_id


def dollars(usd: float, unpriced: int, calls: int) -> str:
    """Dollars for people: `free`, `unknown price`, or the sum as far as prices are known."""
    if unpriced and unpriced == calls:
        return "unknown price"
    if unpriced:
        return f"${usd:,.4f} and {unpriced:,} calls of unknown price"
    return f"${usd:,.4f}" if usd else "free"


def spending(store: RunStore, rows: RowSpending, pairs: int) -> Spending:
    """Put together what a run has used up.

    Args:
        store: the run.
        rows: from a `RowMeter` that has seen its finished rows.
        pairs: judged pairs of the finished rows.
    """
    models: dict[tuple[Stage, str], ModelCalls] = {}
    for found in store.models():
        key = (found.stage, found.fingerprint)
        models[key] = _together(models[key], found) if key in models else replace(found, model="")
    order = list(ROLE_OF)
    ordered = sorted(models.values(), key=lambda model: order.index(model.stage))
    return Spending(tuple(ordered), store.spent(), rows, pairs)


def _together(one: ModelCalls, other: ModelCalls) -> ModelCalls:
    return replace(
        one,
        calls=one.calls + other.calls,
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        cost_usd=one.cost_usd + other.cost_usd,
        unpriced=one.unpriced + other.unpriced,
    )
