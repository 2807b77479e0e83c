"""Losses that train a policy on preferences without sampling: DPO, its family, and KTO.

A log-ratio here is log π(y|x) − log π_ref(y|x), summed over the tokens of the answer, or averaged
where a loss says so. Names are those of the papers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import logsigmoid, relu

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["dpo", "hinge", "ipo", "kto", "orpo", "robust", "simpo"]


def dpo(h: Tensor, p: Tensor, beta: float) -> Tensor:
    """−p log σ(βh) − (1 − p) log σ(−βh).

    At p = 1: Rafailov et al. 2023 (arXiv:2305.18290), equation 7. At p = 1 − ε for all pairs:
    conservative DPO (Mitchell 2023, "A note on DPO with noisy preferences").

    Args:
        h: (n,) log-ratio of the first answer less that of the second.
        p: (n,) probabilities that the first is better.
        beta: strength of the tie to the reference.

    Returns:
        (n,) losses.
    """
    return -p * logsigmoid(beta * h) - (1.0 - p) * logsigmoid(-beta * h)


def robust(h: Tensor, beta: float, noise: float) -> Tensor:
    """[−(1 − ε) log σ(βh) + ε log σ(−βh)] / (1 − 2ε), unbiased when a share ε of labels is wrong.

    Chowdhury et al. 2024 (arXiv:2403.00409), equation 12.

    Args:
        h: (n,) log-ratio of the chosen answer less that of the rejected one.
        beta: strength of the tie to the reference.
        noise: ε, below ½.

    Returns:
        (n,) losses.
    """
    kept = (1.0 - noise) * logsigmoid(beta * h)
    return (-kept + noise * logsigmoid(-beta * h)) / (1.0 - 2.0 * noise)


def hinge(h: Tensor, beta: float) -> Tensor:
    """max(0, 1 − βh): the loss of SLiC (Zhao et al. 2023, arXiv:2305.10425) on log-ratios.

    Args:
        h: (n,) log-ratio of the chosen answer less that of the rejected one.
        beta: strength of the tie to the reference.

    Returns:
        (n,) losses.
    """
    return relu(1.0 - beta * h)


def ipo(h_mean: Tensor, tau: float) -> Tensor:
    """(h − 1/(2τ))², Azar et al. 2023 (arXiv:2310.12036), equation 17.

    Args:
        h_mean: (n,) log-ratio of the chosen answer less that of the rejected one, each averaged
            over its tokens, as in TRL: sums would make long answers dominate.
        tau: regularisation.

    Returns:
        (n,) losses.
    """
    return (h_mean - 1.0 / (2.0 * tau)) ** 2


def simpo(chosen: Tensor, rejected: Tensor, beta: float, gamma: float) -> Tensor:
    """−log σ(β (l₁ − l₂) − γ), Meng et al. 2024 (arXiv:2405.14734), equation 6. No reference.

    Args:
        chosen: (n,) mean log-probability per token of the chosen answer.
        rejected: (n,) the same of the rejected one.
        beta: scale of the reward.
        gamma: target margin of the reward.

    Returns:
        (n,) losses.
    """
    return -logsigmoid(beta * (chosen - rejected) - gamma)


def orpo(chosen: Tensor, rejected: Tensor, beta: float) -> Tensor:
    """−l₁ − β log σ(log odds₁ − log odds₂), Hong et al. 2024 (arXiv:2403.07691), equations 6, 7.

    odds = P / (1 − P) with P = exp(mean log-probability per token). No reference.

    Args:
        chosen: (n,) mean log-probability per token of the chosen answer, below 0.
        rejected: (n,) the same of the rejected one.
        beta: weight of the odds ratio.

    Returns:
        (n,) losses.
    """
    log_odds = (chosen - rejected) - (_log1mexp(chosen) - _log1mexp(rejected))
    return -chosen - beta * logsigmoid(log_odds)


def kto(
    log_ratio: Tensor,
    good: Tensor,
    divergence: Tensor,
    beta: float,
    *,
    desirable: float = 1.0,
    undesirable: float = 1.0,
) -> Tensor:
    """λ (1 − σ(±β (h − z))), Ethayarajh et al. 2024 (arXiv:2402.01306), equation 8.

    The sign is + for good answers and − for bad ones.

    Args:
        log_ratio: (n,) h, the log-ratio of each answer.
        good: (n,) whether the answer is desirable.
        divergence: z ≥ 0, an estimate of the divergence from the reference, without gradient.
        beta: strength of the tie to the reference.
        desirable: λ of good answers.
        undesirable: λ of bad answers.

    Returns:
        (n,) losses.
    """
    lead = beta * (log_ratio - divergence)
    return torch.where(good, desirable * torch.sigmoid(-lead), undesirable * torch.sigmoid(lead))


def _log1mexp(x: Tensor) -> Tensor:
    """log(1 − exp x) for x < 0, accurate at both ends (Mächler 2012)."""
    near = x > -0.6931471805599453
    # The branch that is not taken must not produce a NaN in the gradient.
    small = torch.log(-torch.expm1(torch.where(near, x, torch.full_like(x, -1.0))))
    large = torch.log1p(-torch.exp(torch.where(near, torch.full_like(x, -1.0), x)))
    return torch.where(near, small, large)
