"""The reward model: a score per answer, learned from pairs, rankings or ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from cai.train.examples import Preference, Ranking, Rating
from cai.train.intervals import pairwise_summary
from cai.train.losses.reward import bradley_terry, centring, plackett_luce, regression
from cai.train.tokens import Encoder, pad_right
from cai.train.trainer import BaseTrainer
from cai.validation.statistics.calibration import expected_calibration_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from cai.train.settings import RewardModelConfig

__all__ = ["RewardModelTrainer", "rm_collate", "rm_encode"]


def rm_encode(encoder: Encoder) -> Callable[[Preference | Ranking | Rating], Any]:
    """What turns an example into the ids of its answers, best first, and its target."""

    def encode(example: Preference | Ranking | Rating) -> Any:
        answers: tuple[str, ...]
        if isinstance(example, Preference):
            answers, target = (example.chosen, example.rejected), example.p
        elif isinstance(example, Ranking):
            answers, target = example.answers, float(len(example.answers))
        else:
            answers, target = (example.answer,), example.rating
        return [encoder.pair(example.prompt, answer) for answer in answers], target

    return encode


def rm_collate(pad: int) -> Callable[[Sequence[Any]], dict[str, Tensor]]:
    """What stacks encoded examples: all answers in one batch, and how many each example has."""

    def collate(examples: Sequence[Any]) -> dict[str, Tensor]:
        batch = pad_right([row for rows, _ in examples for row in rows], pad)
        counts = torch.tensor([len(rows) for rows, _ in examples])
        targets = torch.tensor([float(target) for _, target in examples])
        return {**batch, "counts": counts, "targets": targets}

    return collate


class RewardModelTrainer(BaseTrainer):
    """Trains a model with one output; see `cai.train.losses.reward` for the losses."""

    def __init__(self, *args: Any, settings: RewardModelConfig, **options: Any) -> None:
        super().__init__(*args, **options)
        self._settings = settings
        _leave_unrounded(self.model)

    def loss(self, model: Any, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Losses of the examples of a batch, and the figures that their kind has."""
        # Not `rewards_of`: processes exchange gradients only of what goes through the model as a
        # whole. It reads at the last token that is no padding, which is the same.
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        rewards = model(**inputs, use_cache=False).logits.squeeze(-1).float()
        targets = batch["targets"]
        if self._settings.loss == "regression":
            return regression(rewards, targets), {"reward": rewards}
        if self._settings.loss == "plackett-luce":
            return self._rankings(rewards, batch["counts"])
        first, second = rewards[0::2], rewards[1::2]
        p = targets if self._settings.soft else (targets >= 0.5).float()
        losses = bradley_terry(first, second, p, margin=self._settings.margin)
        losses = losses + self._settings.centre * centring(first, second)
        delta = (first - second).detach()
        return losses, {
            "accuracy": (delta > 0).float() + 0.5 * (delta == 0).float(),
            "nll": bradley_terry(first, second, targets).detach(),
            "margin": delta,
            "_p": torch.sigmoid(delta),
            "_target": targets,
            **{f"_{side}": tokens for side, tokens in _lengths(batch).items()},
        }

    def _rankings(self, rewards: Tensor, counts: Tensor) -> tuple[Tensor, dict[str, Any]]:
        longest = int(counts.max())
        mask = torch.arange(longest, device=counts.device) < counts.unsqueeze(-1)
        table = rewards.new_zeros(mask.shape).masked_scatter(mask, rewards)
        # The share of neighbours in the right order.
        right = ((table[:, :-1] > table[:, 1:]) & mask[:, 1:]).float().sum(-1)
        return plackett_luce(table, mask), {"accuracy": (right / (counts - 1)).detach()}

    def summary(self, figures: dict[str, Tensor]) -> dict[str, float]:
        """Calibration over the whole set, intervals, and what length explains."""
        if "_p" not in figures:
            return {}
        error = expected_calibration_error(
            figures["_p"].numpy(force=True), figures["_target"].numpy(force=True)
        )
        lengths = figures["_chosen"], figures["_rejected"]
        return {"ece": error, **pairwise_summary(figures["accuracy"], *lengths)}


class _Unrounded(torch.nn.Linear):
    """Computes in the precision of its weights, also where all others compute in bfloat16."""

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.to(self.weight.dtype))


def _leave_unrounded(model: Any) -> None:
    """Rewards are compared by small differences: they are never rounded to bfloat16."""
    for name, module in model.named_modules():
        if type(module) is torch.nn.Linear and "score" in name.split("."):
            module.__class__ = _Unrounded


def _lengths(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tokens of the answers of pairs, which stand one after the other."""
    counts = (batch["labels"] != -100).sum(-1)
    return {"chosen": counts[0::2], "rejected": counts[1::2]}
