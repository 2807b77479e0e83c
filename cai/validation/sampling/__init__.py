"""Which held-out pairs people are asked about, and how many: a stratified random sample."""

from cai.validation.sampling.draw import make_plan
from cai.validation.sampling.goal import Power
from cai.validation.sampling.size import (
    design_effect,
    expected_half_width,
    labels_for_power,
    labels_for_width,
)

__all__ = [
    "Power",
    "design_effect",
    "expected_half_width",
    "labels_for_power",
    "labels_for_width",
    "make_plan",
]
