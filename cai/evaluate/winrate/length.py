"""Win rates between answers of equal length, as length-controlled AlpacaEval has them.

Dubois et al. 2024, arXiv:2404.04475, §3: logit q(m ≻ b | x) = θ_m − θ_b + φ · tanh(d / s) +
(ψ_m − ψ_b) γ_x, with d how much longer the answer of m is. The length-controlled win rate is the
mean of q over prompts with d = 0. `cai.validation.bias.length` fits the first two terms, for one
pair of subjects. Here the third is added where there are enough others to tell how hard a prompt
is for the base.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from cai.evaluate.floor import LEAST_CLUSTERS, TooFew, enough
from cai.evaluate.results import Figure, figure
from cai.validation.bias.length import length_fit
from cai.validation.statistics.intervals import cluster_bootstrap
from cai.validation.statistics.logistic import logistic, sigmoid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cai.evaluate.winrate.records import Duel
    from cai.validation.statistics.intervals import Interval

    Floats = NDArray[np.float64]

__all__ = ["difficulties", "length_figures", "with_difficulty"]

LEAST_OTHERS = 3
"""Subjects besides the one in question from whose results it is told how hard a prompt is."""
LEAST_PROMPTS = 50
"""Prompts for three coefficients: some ten to twenty for each."""

_UNFIT = (
    "the length model has no solution: all answers are equally long, or lengths tell winners and "
    "losers apart, or too few prompts"
)


def length_figures(duels: Sequence[Duel]) -> Iterator[Figure]:
    """Win rate and preference at equal length, and the effect of length, of two subjects."""
    first, second = duels[0].first, duels[0].second
    wanted: tuple[tuple[str, Callable[[Duel], float | None]], ...] = (
        ("win rate", lambda duel: duel.credit),
        ("preference", lambda duel: duel.p),
    )
    for name, value in wanted:
        kept = [(y, duel) for duel in duels if (y := value(duel)) is not None]
        fit = length_fit(
            name,
            [y for y, _ in kept],
            [_longer(duel) for _, duel in kept],
            [duel.group for _, duel in kept],
        )
        why = "" if fit else _UNFIT
        groups = len({duel.group for _, duel in kept})
        few = TooFew(groups) if fit and groups < LEAST_CLUSTERS else None
        at_zero = few or (fit.at_zero if fit else None)
        yield figure(
            f"length-controlled {name}",
            *(first, at_zero),
            against=second,
            better="higher",
            unmeasured=why,
        )
        if name == "win rate":
            slope = few or (fit.slope if fit else None)
            yield figure(
                "length effect", first, slope, against=second, unit="score", unmeasured=why
            )


def difficulties(duels: Sequence[Duel], subject: str) -> dict[str, float]:
    """γ: how easily the base is beaten on each prompt, by all subjects but one.

    The log-odds of the mean preference over the others, with one tie added so that they are finite,
    less what their lengths explain, around the mean over prompts; by the id of the prompt. The
    paper finds γ in one regression over more than a hundred models; leaving the subject itself out
    keeps its own results from explaining themselves.

    Args:
        duels: with one subject as the second of all.
        subject: that is left out.
    """
    by_subject: dict[str, list[Duel]] = defaultdict(list)
    for duel in duels:
        if duel.first != subject and duel.p is not None:
            by_subject[duel.first].append(duel)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for own in by_subject.values():
        ps = [duel.p or 0.0 for duel in own]
        for duel, p, explained in zip(own, ps, _by_length(own, ps), strict=True):
            found[duel.prompt_id].append((p, explained))
    odds = {}
    for name, values in found.items():
        share = (sum(p for p, _ in values) + 0.5) / (len(values) + 1)
        explained = sum(part for _, part in values) / len(values)
        odds[name] = float(np.log(share / (1.0 - share))) - explained
    middle = sum(odds.values()) / len(odds) if odds else 0.0
    return {name: value - middle for name, value in odds.items()}


def _by_length(duels: Sequence[Duel], ps: Sequence[float]) -> list[float]:
    """φ · tanh(d / s) of each duel; 0 where lengths say nothing."""
    longer = [_longer(duel) for duel in duels]
    fit = length_fit("subject", ps, longer, [duel.group for duel in duels])
    if fit is None:
        return [0.0] * len(duels)
    return [fit.slope.estimate * float(np.tanh(d / fit.scale)) for d in longer]


def with_difficulty(
    pairs: Mapping[tuple[str, str], Sequence[Duel]], base: str, *, draws: int = 2000
) -> Iterator[Figure]:
    """Length-controlled preferences with the term of the prompt, for subjects over one base.

    Nothing where there are fewer subjects or prompts than that takes.
    """
    over_base = [(first, duels) for (first, second), duels in pairs.items() if second == base]
    if len(over_base) <= LEAST_OTHERS:
        return
    everything = [duel for _, duels in over_base for duel in duels]
    for subject, duels in over_base:
        hard = difficulties(everything, subject)
        rows = [duel for duel in duels if duel.p is not None and duel.prompt_id in hard]
        if len(rows) < LEAST_PROMPTS:
            continue
        found = _controlled(rows, hard, draws)
        yield figure(
            "length-controlled preference",
            *(subject, enough(found)),
            group="with the difficulty of prompts",
            against=base,
            better="higher",
            unmeasured="" if found else _UNFIT,
        )


def _controlled(duels: Sequence[Duel], hard: Mapping[str, float], draws: int) -> Interval | None:
    y = np.array([duel.p for duel in duels])
    longer = np.array([float(_longer(duel)) for duel in duels])
    scale = float(np.sqrt((longer**2).mean()))
    gamma = np.array([hard[duel.prompt_id] for duel in duels])
    groups = [duel.group for duel in duels]
    lengths = [np.tanh(longer / scale)] if scale else []
    x = np.column_stack([np.ones(len(y)), gamma, *lengths])

    def at_equal_length(rows: NDArray[np.intp]) -> float | None:
        fit = logistic(x[rows], y[rows], [groups[i] for i in rows])
        if fit is None:
            return None
        alpha, psi = fit.coefficients[:2]
        return float(sigmoid(alpha + psi * gamma[rows]).mean())

    return cluster_bootstrap(at_equal_length, groups, draws=draws)


def _longer(duel: Duel) -> int:
    return duel.lengths[0] - duel.lengths[1]
