"""The losses of PPO, per token."""

from __future__ import annotations

import torch
from torch import Tensor

from cai.train.losses.advantages import masked_mean

__all__ = ["clipped_policy_loss", "clipped_value_loss", "entropy_of"]


def clipped_policy_loss(
    log_probs: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, clip: float
) -> tuple[Tensor, Tensor]:
    """−mean of min(ρA, clip(ρ, 1 ± ε)A): Schulman et al. 2017 (arXiv:1707.06347), equation 7.

    Args:
        log_probs: (n, t) log π(token) now.
        old: (n, t) the same when the answers were sampled.
        advantages: (n, t).
        mask: (n, t) tokens that count.
        clip: ε.

    Returns:
        The loss, and the share of tokens whose ratio lies outside the range.
    """
    # Where nothing counts, log-probabilities may be anything; their ratio must not overflow.
    ratio = torch.exp((log_probs - old) * mask)
    unclipped = ratio * advantages
    clipped = ratio.clamp(1.0 - clip, 1.0 + clip) * advantages
    outside = ((ratio - 1.0).abs() > clip).to(ratio.dtype)
    return -masked_mean(torch.minimum(unclipped, clipped), mask), masked_mean(outside, mask)


def clipped_value_loss(
    values: Tensor, old: Tensor, returns: Tensor, mask: Tensor, clip: float | None
) -> Tensor:
    """½ mean of max((V − R)², (V_clipped − R)²), V_clipped within ± clip of the old value.

    The form of the reference implementation of PPO (Engstrom et al. 2020, arXiv:2005.12729, §3).

    Args:
        values: (n, t) values now.
        old: (n, t) values when the answers were sampled.
        returns: (n, t) what they should be.
        mask: (n, t) tokens that count.
        clip: None for no bound.
    """
    loss = (values - returns) ** 2
    if clip is not None:
        near = torch.maximum(torch.minimum(values, old + clip), old - clip)
        loss = torch.maximum(loss, (near - returns) ** 2)
    return 0.5 * masked_mean(loss, mask)


def entropy_of(logits: Tensor) -> Tensor:
    """−Σ p log p over the vocabulary, in nats.

    Args:
        logits: (…, v).

    Returns:
        (…).
    """
    log_probs = torch.log_softmax(logits, dim=-1)
    return -(log_probs.exp() * log_probs).sum(-1)
