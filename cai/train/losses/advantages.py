"""From rewards to advantages: GAE per token, and comparisons within a group of answers."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["gae", "group_advantages", "leave_one_out", "masked_mean", "whiten"]


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over the positions where the mask is set; 0 where it is set nowhere."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def whiten(values: Tensor, mask: Tensor, *, shift_mean: bool = True) -> Tensor:
    """Scale to variance 1 over the masked positions, and to mean 0 unless it is to be kept.

    Args:
        values: any shape.
        mask: of the same shape, what counts.
        shift_mean: whether the mean becomes 0.

    Returns:
        The same shape; 0 where the mask is not set.
    """
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean) ** 2, mask)
    scaled = (values - mean) * torch.rsqrt(variance + 1e-8)
    return (scaled if shift_mean else scaled + mean) * mask


def gae(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation over the tokens of answers.

    A_t = Σ_l (γλ)^l δ_{t+l} with δ_t = r_t + γ V_{t+1} − V_t, and V = 0 after the last token.
    Schulman et al. 2015 (arXiv:1506.02438), equations 11, 12 and 16.

    Args:
        rewards: (n, t) reward of each token.
        values: (n, t) value before each token.
        mask: (n, t) tokens of the answer; the others stand at the end.
        gamma: discount per token.
        lam: λ.

    Returns:
        (n, t) advantages and (n, t) returns A + V, both 0 outside the mask.
    """
    weights = mask.to(values.dtype)
    values = values * weights
    later = torch.zeros_like(values[:, 0])
    following = torch.zeros_like(later)
    columns = []
    for step in range(rewards.shape[1] - 1, -1, -1):
        delta = rewards[:, step] + gamma * following - values[:, step]
        later = (delta + gamma * lam * later) * weights[:, step]
        following = values[:, step]
        columns.append(later)
    advantages = torch.stack(columns[::-1], dim=1)
    return advantages, advantages + values


def group_advantages(rewards: Tensor, *, scale: bool = True, epsilon: float = 1e-4) -> Tensor:
    """(r − mean) / std within each group: Shao et al. 2024 (arXiv:2402.03300), section 4.1.2.

    Args:
        rewards: (groups, size).
        scale: whether to divide by the standard deviation (of the sample, n − 1).
        epsilon: added to the standard deviation; where all rewards are equal, advantages are 0.

    Returns:
        (groups, size).
    """
    centred = rewards - rewards.mean(-1, keepdim=True)
    return centred / (rewards.std(-1, keepdim=True) + epsilon) if scale else centred


def leave_one_out(rewards: Tensor) -> Tensor:
    """R − mean of the others: RLOO, Ahmadian et al. 2024 (arXiv:2402.14740), section 2.2.

    Args:
        rewards: (groups, size), of size 2 or more.

    Returns:
        (groups, size).
    """
    size = rewards.shape[-1]
    others = (rewards.sum(-1, keepdim=True) - rewards) / (size - 1)
    return rewards - others
