"""DPO and its family: a policy from pairs, without sampling and without a reward model.

The reference is the untrained model. Its log-probabilities are computed once, before training, and
kept on disk: it need not stay in memory, and a resumed training does not compute them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from cai.train.intervals import pairwise_summary
from cai.train.losses.preference import dpo, hinge, ipo, orpo, robust, simpo
from cai.train.models import answer_log_probs
from cai.train.tokens import Encoder, pad_right
from cai.train.trainer import BaseTrainer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from cai.train.examples import Preference
    from cai.train.settings import DPOConfig

__all__ = ["PreferenceTrainer", "needs_reference", "pair_collate", "pair_encode"]


def needs_reference(settings: DPOConfig) -> bool:
    """Whether the loss compares with a reference."""
    return settings.loss not in ("orpo", "simpo")


def pair_encode(
    encoder: Encoder, reference: Mapping[str, tuple[float, float]] | None
) -> Callable[[Preference], Any]:
    """What turns a pair into ids, its p, and the reference's log-probabilities of both answers."""

    def encode(example: Preference) -> Any:
        rows = [encoder.pair(example.prompt, text) for text in (example.chosen, example.rejected)]
        return rows, example.p, reference[example.id] if reference is not None else (0.0, 0.0)

    return encode


def pair_collate(pad: int) -> Callable[[Sequence[Any]], dict[str, Tensor]]:
    """What stacks encoded pairs: the chosen answers, then the rejected ones."""

    def collate(examples: Sequence[Any]) -> dict[str, Tensor]:
        rows = [rows[side] for side in (0, 1) for rows, _, _ in examples]
        p = torch.tensor([p for _, p, _ in examples])
        reference = torch.tensor([r[side] for side in (0, 1) for _, _, r in examples])
        return {**pad_right(rows, pad), "p": p, "reference": reference}

    return collate


class PreferenceTrainer(BaseTrainer):
    """Trains with one of the losses of `cai.train.losses.preference`."""

    def __init__(
        self, *args: Any, settings: DPOConfig, label_noise: float | None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._settings = settings
        self._noise = label_noise

    def loss(self, model: Any, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Losses of the pairs of a batch, implicit rewards, and who wins by them."""
        totals, counts = answer_log_probs(model, dict(batch))
        beta, p = self._settings.beta, batch["p"]
        if needs_reference(self._settings):
            ratios = totals - batch["reference"]
            losses = self._with_reference(ratios, counts, p)
            rewards = beta * ratios.detach()
        else:
            means = totals / counts
            chosen, rejected = means.chunk(2)
            if self._settings.loss == "orpo":
                losses = orpo(chosen, rejected, beta)
            else:
                losses = simpo(chosen, rejected, beta, self._settings.gamma)
            rewards = beta * means.detach()
        good, bad = rewards.chunk(2)
        return losses, {
            "accuracy": (good > bad).float() + 0.5 * (good == bad).float(),
            "margin": good - bad,
            "reward_chosen": good,
            "reward_rejected": bad,
            "log_prob_chosen": totals.detach().chunk(2)[0],
            "_chosen": counts.chunk(2)[0],
            "_rejected": counts.chunk(2)[1],
        }

    def summary(self, figures: dict[str, Tensor]) -> dict[str, float]:
        """Intervals of the implicit reward's accuracy, and what length explains."""
        return pairwise_summary(figures["accuracy"], figures["_chosen"], figures["_rejected"])

    def _with_reference(self, ratios: Tensor, counts: Tensor, p: Tensor) -> Tensor:
        beta, name = self._settings.beta, self._settings.loss
        chosen, rejected = ratios.chunk(2)
        h = chosen - rejected
        if name == "hinge":
            return hinge(h, beta)
        if name == "ipo":
            first, second = (ratios / counts).chunk(2)
            return ipo(first - second, beta)
        if name in ("robust", "cdpo"):
            assert self._noise is not None
            if name == "robust":
                return robust(h, beta, self._noise)
            return dpo(h, torch.full_like(p, 1.0 - self._noise), beta)
        return dpo(h, p if self._settings.soft else torch.ones_like(p), beta)
