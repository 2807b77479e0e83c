"""Win rates and what belongs to them, with intervals over groups of near-duplicate prompts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from cai.evaluate.floor import TooFew
from cai.evaluate.means import Means
from cai.evaluate.results import Figure, figure
from cai.evaluate.winrate.length import length_figures
from cai.evaluate.winrate.needed import needed_figure
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from cai.evaluate.winrate.records import Duel
    from cai.validation.statistics.intervals import Interval

__all__ = [
    "by_pair",
    "difference_figures",
    "outcome_counts",
    "overall_figures",
    "pair_figures",
    "win_interval",
]

NO_VERDICTS = "no comparison has a verdict"
_NO_ORDERS = "no question has a winner in each of two orders"

LEAST_GROUPS = 10
"""Prompt groups from which a tag has a figure: over fewer, bootstrap intervals are too narrow."""

_TIES = ("tie", "identical")


def by_pair(duels: Sequence[Duel]) -> dict[tuple[str, str], list[Duel]]:
    """The duels of each pair of subjects, in their order."""
    found: dict[tuple[str, str], list[Duel]] = {}
    for duel in duels:
        found.setdefault((duel.first, duel.second), []).append(duel)
    return found


def outcome_counts(duels: Sequence[Duel]) -> dict[str, int]:
    """How many duels ended how, the commonest first."""
    return dict(Counter(duel.outcome for duel in duels).most_common())


def pair_figures(
    duels: Sequence[Duel], *, by_principle: bool, half_width: float, draws: int = 2000
) -> Iterator[Figure]:
    """All figures of two subjects, seen from the first.

    Args:
        duels: of one pair of subjects, with at most one for each prompt.
        by_principle: whether each duel has a verdict under each principle.
        half_width: for which to say how many comparisons are needed.
        draws: of the bootstrap.
    """
    first, second = duels[0].first, duels[0].second
    means = Means([duel.group for duel in duels], draws=draws)

    def share(
        name: str,
        value: Callable[[Duel], float | None],
        group: str = "all",
        none: str = NO_VERDICTS,
        **more: Any,
    ) -> Figure:
        found = win_interval(means, [value(duel) for duel in duels])
        why = "" if found else none
        return figure(name, first, found, group=group, against=second, unmeasured=why, **more)

    yield share("win rate", lambda duel: duel.credit, better="higher")
    yield share("tie share", _is_tie)
    yield share("preference", lambda duel: duel.p, better="higher")
    yield from length_figures(duels)
    yield share("order consistency", _consistency, none=_NO_ORDERS, better="higher")
    yield share("without verdict", lambda duel: float(duel.credit is None), better="lower")
    yield needed_figure(duels, half_width)
    for tag in sorted({tag for duel in duels for tag in duel.tags}):
        yield _enough(share("win rate", _tagged(tag), f"tag {tag}", better="higher"))
    names = {one.principle: None for duel in duels for one in duel.under} if by_principle else {}
    for name in sorted(names):
        yield share("win rate", _under(name), f"principle {name}", better="higher")


def overall_figures(
    subjects: Sequence[str], duels: Sequence[Duel], *, draws: int = 2000
) -> Iterator[Figure]:
    """The win rate of each subject over all others together, where all have met all."""
    for subject in subjects:
        own = [duel.seen_from(subject) for duel in duels if subject in (duel.first, duel.second)]
        means = Means([duel.group for duel in own], draws=draws)
        found = win_interval(means, [duel.credit for duel in own])
        why = "" if found else NO_VERDICTS
        yield figure(
            "win rate", subject, found, against="all others", better="higher", unmeasured=why
        )


def difference_figures(
    pairs: Mapping[tuple[str, str], Sequence[Duel]], base: str, *, draws: int = 2000
) -> Iterator[Figure]:
    """The win rate of each subject over the base minus that of each other, prompt by prompt.

    Prompts with a verdict on both count. What makes a prompt easy or hard for both falls out, so
    that the interval is narrower than those of the two win rates suggest.
    """
    over_base = [(first, duels) for (first, second), duels in pairs.items() if second == base]
    for (one, ones), (other, others) in combinations(over_base, 2):
        credit_of = {duel.prompt_id: duel.credit for duel in others}
        means = Means([duel.group for duel in ones], draws=draws)
        found = means.difference(
            [duel.credit for duel in ones], [credit_of.get(duel.prompt_id) for duel in ones]
        )
        yield figure(
            "win rate difference",
            *(one, found),
            against=other,
            group=f"over {base}",
            unit="points",
            unmeasured="" if found else NO_VERDICTS,
        )


def win_interval(means: Means, values: Sequence[float | None]) -> Interval | TooFew | None:
    """The mean of credits or probabilities, with its interval.

    Where all are ½, no draw of the bootstrap differs from another. By Wilson's interval (1927) a
    share of up to 1 − l of further comparisons may still be no tie, and all of those may be won, or
    lost: that gives ½ ± (1 − l) / 2.
    """
    found = means.share(values)
    if found is None or isinstance(found, TooFew):
        return found
    if any(value not in (None, 0.5) for value in values):
        return found
    half = (1.0 - wilson(found.n, found.n, found.level).low) / 2.0
    return replace(found, low=0.5 - half, high=0.5 + half)


def _is_tie(duel: Duel) -> float | None:
    return None if duel.credit is None else float(duel.outcome in _TIES)


def _consistency(duel: Duel) -> float | None:
    """Share of the questions about a duel whose two orders name the same winner."""
    orders = sum(one.orders for one in duel.under)
    return 1.0 - sum(one.flips for one in duel.under) / orders if orders else None


def _enough(one: Figure) -> Figure:
    if one.n >= LEAST_GROUPS:
        return one
    why = f"a figure of its own takes {LEAST_GROUPS} prompt groups with a verdict"
    return replace(one, value=None, low=None, high=None, unmeasured=why)


def _tagged(tag: str) -> Callable[[Duel], float | None]:
    return lambda duel: duel.credit if tag in duel.tags else None


def _under(principle: str) -> Callable[[Duel], float | None]:
    def credit(duel: Duel) -> float | None:
        return next((one.credit for one in duel.under if one.principle == principle), None)

    return credit
