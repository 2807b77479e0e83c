"""Self-preference: whether the judge likes the answers of its own model more than people do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.validation.bias.means import difference_interval, share_interval
from cai.validation.bias.orders import credit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.validation.bias.authors import Authors
    from cai.validation.bias.records import JudgedPair
    from cai.validation.statistics.intervals import Interval

__all__ = ["SelfPreference", "self_preference"]


@dataclass(frozen=True, slots=True)
class SelfPreference:
    """How often answers of the judge's own model win against those of others; a tie is half.

    As in Panickssery et al. 2024 (arXiv:2404.13076), section 2, but held against people's choices:
    a judge that prefers its own answers where people do, too, is right.

    Args:
        n: pairs in which one answer alone is the judge's model's own.
        judge: rate at which the judge prefers it.
        gold_n: those of the pairs with a gold label.
        gold: rate at which the gold labels prefer it.
        excess: the judge's rate − the gold rate, on the pairs with both.
        not_run: why there is no figure, or no `excess`; empty when both are there.
    """

    n: int = 0
    judge: Interval | None = None
    gold_n: int = 0
    gold: Interval | None = None
    excess: Interval | None = None
    not_run: str = ""


def self_preference(
    pairs: Sequence[JudgedPair], authors: Authors, *, draws: int = 2000, seed: int = 0
) -> SelfPreference:
    """Compare the judge's rate with that of the gold labels, or say why it cannot be done."""
    rows = [pair for pair in pairs if pair.own in ("first", "second") and pair.p is not None]
    if not rows:
        return SelfPreference(not_run=_why(pairs, authors))

    def share(values: list[float], those: Sequence[JudgedPair]) -> Interval | None:
        return share_interval(values, [pair.group for pair in those], draws=draws, seed=seed)

    judge = share([_won(pair, pair.p) for pair in rows], rows)
    known = [pair for pair in rows if pair.gold is not None]
    if not known:
        why = "there is no gold label on these pairs: they may well be the better answers"
        return SelfPreference(len(rows), judge, not_run=why)
    gap = [_won(pair, pair.p) - _won(pair, pair.gold) for pair in known]
    groups = [pair.group for pair in known]
    return SelfPreference(
        n=len(rows),
        judge=judge,
        gold_n=len(known),
        gold=share([_won(pair, pair.gold) for pair in known], known),
        excess=difference_interval(gap, groups, draws=draws, seed=seed),
    )


def _won(pair: JudgedPair, p: float | None) -> float:
    """Whether the model's own answer wins by a probability of the first answer."""
    assert p is not None
    return credit(p, 1.0 if pair.own == "first" else 0.0)


def _why(pairs: Sequence[JudgedPair], authors: Authors) -> str:
    if authors.given and not authors.generators:
        return "the file does not say which models wrote the answers"
    if any(pair.own == "both" for pair in pairs):
        return "the judge's model wrote both answers of each pair"
    return "the judge's model wrote none of the answers"
