"""How far stated probabilities are from what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["expected_calibration_error"]


def expected_calibration_error(p: Tensor, target: Tensor, bins: int = 10) -> float:
    """Σ (n_b / n) |mean target − mean confidence| over bins of equal width.

    Guo et al. 2017 (arXiv:1706.04599), equation 3. Each pair is seen from the side that the model
    prefers, so confidences lie between ½ and 1 and the order of the answers does not matter.

    Args:
        p: (n,) predicted probabilities that the first answer is better.
        target: (n,) labels, from 0 to 1.
        bins: number of bins between ½ and 1.

    Returns:
        From 0 to 1.
    """
    turned = p < 0.5
    confidence = torch.where(turned, 1.0 - p, p)
    right = torch.where(turned, 1.0 - target, target)
    index = ((confidence - 0.5) * 2.0 * bins).long().clamp(max=bins - 1)
    error = 0.0
    for b in range(bins):
        inside = index == b
        if inside.any():
            gap = (right[inside].mean() - confidence[inside].mean()).abs()
            error += float(gap) * float(inside.float().mean())
    return error
