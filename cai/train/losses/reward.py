"""Losses of reward models: pairs with soft labels, rankings, and ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import logsigmoid

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["bradley_terry", "centring", "plackett_luce", "regression"]


def bradley_terry(first: Tensor, second: Tensor, p: Tensor, *, margin: float = 0.0) -> Tensor:
    """Cross-entropy between a soft label and a Bradley–Terry model.

    −p log σ(Δ) − (1 − p) log σ(−Δ) with Δ = r₁ − r₂ − m (2p − 1). At p = 1 and m = 0 it is the loss
    of Ouyang et al. 2022 (arXiv:2203.02155), equation 1; the margin is that of Touvron et al. 2023
    (arXiv:2307.09288), section 3.2.2, with the certainty of the label in place of a rating.

    Args:
        first: (n,) rewards of one answer of each pair.
        second: (n,) rewards of the other.
        p: (n,) probabilities that the first is better.
        margin: m.

    Returns:
        (n,) losses.
    """
    delta = first - second - margin * (2.0 * p - 1.0)
    return -p * logsigmoid(delta) - (1.0 - p) * logsigmoid(-delta)


def centring(first: Tensor, second: Tensor) -> Tensor:
    """(r₁ + r₂)², which keeps rewards around zero (Eisenstein et al. 2023, arXiv:2312.09244, §3).

    Args:
        first: (n,) rewards.
        second: (n,) rewards.

    Returns:
        (n,) penalties.
    """
    return (first + second) ** 2


def plackett_luce(rewards: Tensor, mask: Tensor) -> Tensor:
    """Negative log-likelihood of a ranking: −Σᵢ [rᵢ − log Σ_{j ≥ i} exp rⱼ].

    Plackett 1975, "The analysis of permutations". With two answers it is the Bradley–Terry loss.

    Args:
        rewards: (n, k) rewards of k answers, best first.
        mask: (n, k) whether there is such an answer; those that are missing stand at the end.

    Returns:
        (n,) losses.
    """
    # Not minus infinity, whose gradient is no number.
    held = rewards.masked_fill(~mask, torch.finfo(rewards.dtype).min)
    rest = torch.logcumsumexp(held.flip(-1), dim=-1).flip(-1)
    return torch.where(mask, rest - rewards, torch.zeros_like(rewards)).sum(-1)


def regression(rewards: Tensor, ratings: Tensor) -> Tensor:
    """Squared error, for answers that were rated on a scale.

    Args:
        rewards: (n,) rewards.
        ratings: (n,) what they should be.

    Returns:
        (n,) losses.
    """
    return (rewards - ratings) ** 2
