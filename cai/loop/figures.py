"""Figures of one row, lane by lane: calls and tokens, each low, likely and high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cai.loop.measured import ENOUGH_CALLS
from cai.loop.rehearse import SCENARIOS, rehearse
from cai.records import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cai.loop.changes import Changes
    from cai.loop.measured import Measured
    from cai.loop.memory import Known
    from cai.loop.plan import Plan
    from cai.loop.rehearse import Lane
    from cai.loop.replanned import Replanned
    from cai.records import Prompt
    from cai.store.facts import StageTotals

__all__ = [
    "Figures",
    "Range",
    "measured_figures",
    "rehearsed_figures",
    "replanned_figures",
    "total",
    "with_measured_tokens",
]

_CALLS = 4_000
"""Requests that are rendered for the high value, and those of one prompt more."""
_LEAST_MARGIN, _MOST_MARGIN = 0.05, 0.5


@dataclass(frozen=True, slots=True)
class Range:
    """Three values of one figure."""

    low: float = 0.0
    likely: float = 0.0
    high: float = 0.0

    def __add__(self, other: Range) -> Range:
        """Add low to low, likely to likely, high to high."""
        return Range(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, factor: float) -> Range:
        """The same for so many."""
        return Range(self.low * factor, self.likely * factor, self.high * factor)

    @classmethod
    def spanned(cls, values: Sequence[float], margin: float) -> Self:
        """From three values, with a margin, as a share, on both sides."""
        low, likely, high = values
        return cls(min(low, likely) * (1.0 - margin), likely, max(high, likely) * (1.0 + margin))

    @property
    def values(self) -> tuple[float, float, float]:
        """Low, likely, high."""
        return self.low, self.likely, self.high


def total(ranges: Iterable[Range]) -> Range:
    """The sum; as if all were low at the same time, and all high."""
    return sum(ranges, start=Range())


@dataclass(frozen=True, slots=True)
class Figures:
    """Calls and tokens of one row in one lane. `cached` is the share of tokens read twice."""

    calls: Range
    prompt_tokens: Range
    completion_tokens: Range
    cached: float = 0.0

    def usages(self, rows: int) -> tuple[Usage, Usage, Usage]:
        """Tokens of so many rows: low, likely, high."""
        read, written = self.prompt_tokens * rows, self.completion_tokens * rows

        def usage(prompt: float, completion: float) -> Usage:
            return Usage(round(prompt), round(completion), round(prompt * self.cached))

        return (
            usage(read.low, written.low),
            usage(read.likely, written.likely),
            usage(read.high, written.high),
        )


def measured_figures(stored: Measured) -> tuple[dict[Lane, Figures], Range]:
    """Figures and pairs of a row from the finished rows of the same run."""
    figures = {
        (stage, role): _with_tokens(
            _count(mean * share, stored.rows), stored.totals[stage], stored.rows
        )
        for stage, mean in stored.calls.items()
        for role, share in stored.shares(stage).items()
    }
    return figures, _count(stored.pairs, stored.rows)


def with_measured_tokens(figures: Mapping[Lane, Figures], stored: Measured) -> dict[Lane, Figures]:
    """The same calls, with tokens as in answered calls of the same run where there are enough."""
    measured = dict(figures)
    for lane, its in figures.items():
        totals = stored.totals.get(lane[0])
        if totals and totals.calls >= ENOUGH_CALLS:
            measured[lane] = _with_tokens(its.calls, totals, totals.calls)
    return measured


def _with_tokens(calls: Range, totals: StageTotals, cases: int) -> Figures:
    read = _around(totals.prompt_tokens / totals.calls, cases)
    written = _around(totals.completion_tokens / totals.calls, cases)
    return Figures(
        calls,
        Range(calls.low * read.low, calls.likely * read.likely, calls.high * read.high),
        Range(calls.low * written.low, calls.likely * written.likely, calls.high * written.high),
        totals.cached_tokens / totals.prompt_tokens if totals.prompt_tokens else 0.0,
    )


def _count(mean: float, rows: int) -> Range:
    """How many of a row: a whole number is taken to be the same in every row."""
    return Range(mean, mean, mean) if mean == round(mean) else _around(mean, rows)


def _around(mean: float, cases: int) -> Range:
    """A mean with a margin: one over the square root of the cases, within 5 % and 50 %.

    That is about twice the standard error when single values scatter by half of their mean.
    """
    share = min(max(cases**-0.5, _LEAST_MARGIN), _MOST_MARGIN)
    return Range(mean * (1 - share), mean, mean * (1 + share))


def rehearsed_figures(
    plan: Plan, prompts: Sequence[Prompt]
) -> tuple[dict[Lane, Figures], Range, int]:
    """Figures and pairs of a row from walks with stand-ins, and how many prompts were walked."""
    *others, most = SCENARIOS
    high = rehearse(plan, prompts, most, _CALLS)
    # The same prompts in all three, so that low is never above high.
    walked = prompts[: high.prompts]
    low, likely = (rehearse(plan, walked, scenario) for scenario in others)
    tallies = (low, likely, high)
    lanes = dict.fromkeys(lane for tally in tallies for lane in tally.calls)

    def mean(name: str, lane: Lane) -> Range:
        return Range(*(getattr(t, name).get(lane, 0) / t.prompts for t in tallies))

    figures = {
        lane: Figures(
            mean("calls", lane), mean("prompt_tokens", lane), mean("completion_tokens", lane)
        )
        for lane in lanes
    }
    return figures, Range(*(tally.pairs / tally.prompts for tally in tallies)), high.prompts


def replanned_figures(found: Replanned, stored: Measured, changes: Changes) -> dict[Lane, Figures]:
    """Figures of all calls that a changed plan makes, as if they were of one row.

    Tokens read come from the requests themselves, corrected by what the answered ones of the lane
    have really taken; tokens generated are as in the answered calls of the stage, where there are
    enough of the same model.
    """
    figures = {}
    for lane, tally in found.lanes.items():
        stage, role = lane
        totals = stored.totals.get(stage)
        if changes.model(role) or totals is None or totals.calls < ENOUGH_CALLS:
            lengths = (scenario.length for scenario in SCENARIOS)
            written = [n * share for n, share in zip(tally.max_tokens, lengths, strict=True)]
            cached = 0.0
        else:
            mean = _around(totals.completion_tokens / totals.calls, totals.calls)
            written = [n * m for n, m in zip(tally.calls, mean.values, strict=True)]
            cached = totals.cached_tokens / totals.prompt_tokens if totals.prompt_tokens else 0.0
        factor = _per_estimated(found.known.get(lane))
        read = [n * share for n, share in zip(tally.prompt_tokens, factor.values, strict=True)]
        figures[lane] = Figures(
            Range.spanned(tally.calls, found.margin),
            Range.spanned(read, found.margin),
            Range.spanned(written, found.margin),
            cached,
        )
    return figures


def _per_estimated(known: Known | None) -> Range:
    """Tokens of a request for each that the rule of thumb counts."""
    if known is None or known.calls < ENOUGH_CALLS or not known.actual:
        return Range(1.0, 1.0, 1.0)
    return _around(known.actual / known.estimated, known.calls)
