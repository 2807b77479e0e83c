"""Two claims that are usually made, held against one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.train.compare.outcome import Outcome

__all__ = ["Claim", "cheaper", "check_claims", "half"]

_TIMES = (2.0, 3.0)
# What "about half" may be.
_ABOUT_HALF = (0.4, 0.6)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim and what one run says of it.

    Args:
        text: the claim.
        said: what makes a sentence of the claim.
        ratio: on which that rests; None where it was not measured.
        held: whether the claim held; None where it was not measured.
    """

    text: str
    said: str
    ratio: float | None = None
    held: bool | None = None


def check_claims(outcomes: Mapping[str, Outcome]) -> tuple[Claim, Claim]:
    """Both claims.

    PPO has a value head for the first, which is its cheaper form, and a critic of its own for the
    second, which is about that critic.

    Args:
        outcomes: by the name of the arm.
    """
    dpo, head, own, grpo = map(outcomes.get, ("dpo", "ppo-head", "ppo-separate", "grpo"))
    return (
        cheaper(dpo.per_example if dpo else None, head.per_example if head else None),
        half(grpo.over_mb if grpo else None, own.over_mb if own else None),
    )


def cheaper(dpo: float | None, ppo: float | None) -> Claim:
    """Whether an example costs PPO two to three times what it costs DPO.

    Args:
        dpo: seconds per pair.
        ppo: seconds per answer, with sampling and reward.
    """
    text = "DPO is 2 to 3 times cheaper than PPO"
    if dpo is None or ppo is None:
        return Claim(text, "was not checked: it takes dpo and ppo, each with timed steps.")
    ratio = ppo / dpo
    low, high = _TIMES
    held = "held by more" if ratio > high else "held" if ratio >= low else "did not hold"
    said = (
        f"{held} in this one run: an answer took PPO {ratio:.2f} times the seconds that a pair "
        f"took DPO ({ppo:.3g} s against {dpo:.3g} s)."
    )
    return Claim(text, said, ratio, held=ratio >= low)


def half(grpo: float | None, ppo: float | None) -> Claim:
    """Whether GRPO needs about half of the memory of PPO with a critic of its own.

    Args:
        grpo: MB above a process that only loads the model.
        ppo: the same of PPO.
    """
    text = "GRPO needs about half of PPO's memory"
    if grpo is None or ppo is None or min(grpo, ppo) <= 0.0:
        return Claim(text, "was not checked: it takes grpo and ppo, with measured memory.")
    ratio = grpo / ppo
    low, high = _ABOUT_HALF
    held = "did not hold" if ratio > high else "held" if ratio >= low else "held by more"
    said = (
        f"{held} in this one run: GRPO took {ratio:.2f} times the memory of PPO with a critic of "
        f"its own, both above a process that only loads the model ({grpo:,.0f} MB against "
        f"{ppo:,.0f} MB)."
    )
    return Claim(text, said, ratio, held=ratio <= high)
