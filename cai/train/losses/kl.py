"""The divergence from the reference: estimates from samples, and who sets its weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

__all__ = ["AdaptiveKL", "FixedKL", "kl_estimate"]


def kl_estimate(log_probs: Tensor, reference: Tensor, kind: Literal["k1", "k2", "k3"]) -> Tensor:
    """KL(π ‖ π_ref) from tokens that were sampled from π.

    k1 = log π − log π_ref (unbiased, may be negative), k2 = ½ k1² (biased, low variance),
    k3 = e^{−k1} − 1 + k1 (unbiased, never negative). Schulman 2020, "Approximating KL divergence".

    Args:
        log_probs: log π of the tokens, any shape.
        reference: log π_ref of the same tokens.
        kind: which estimate.

    Returns:
        The same shape, in nats.
    """
    k1 = log_probs - reference
    if kind == "k1":
        return k1
    if kind == "k2":
        return 0.5 * k1**2
    return torch.expm1(-k1) + k1


@dataclass
class FixedKL:
    """A weight that stays as it is."""

    weight: float

    def update(self, kl: float, answers: int) -> None:
        """Take no notice."""


@dataclass
class AdaptiveKL:
    """A weight that is raised while the divergence is above its target, and lowered below it.

    e = clip(KL / target − 1, ±0.2), β ← β (1 + e n / horizon): Ziegler et al. 2019
    (arXiv:1909.08593), section 2.2, with K = 1 / horizon per answer.
    """

    weight: float
    target: float
    horizon: int

    def update(self, kl: float, answers: int) -> None:
        """Take notice of the mean divergence of so many answers.

        Args:
            kl: nats per answer.
            answers: n.
        """
        error = min(max(kl / self.target - 1.0, -0.2), 0.2)
        self.weight *= 1.0 + error * answers / self.horizon
