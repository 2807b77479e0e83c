"""KTO: a policy from answers that are good or bad, without pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from cai.train.examples import Labelled
from cai.train.losses.preference import kto
from cai.train.models import answer_log_probs
from cai.train.tokens import Encoder, pad_right
from cai.train.trainer import BaseTrainer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from cai.records import Message
    from cai.train.examples import GoodOrBad
    from cai.train.settings import KTOConfig

__all__ = ["KTOTrainer", "Side", "kto_collate", "kto_encode", "mismatched", "sides_of"]

_ROWS = ("input_ids", "attention_mask", "labels")


@dataclass(frozen=True, slots=True)
class Side:
    """One answer and whether it is good; `name` tells it from all others."""

    name: str
    prompt: tuple[Message, ...]
    answer: str
    good: bool


def sides_of(example: GoodOrBad) -> tuple[Side, ...]:
    """A labelled answer as it is; the chosen answer of a pair as good, and the rejected as bad."""
    if isinstance(example, Labelled):
        sign = "+" if example.good else "-"
        return (Side(f"{example.id}{sign}", example.prompt, example.answer, example.good),)
    return (
        Side(f"{example.id}+", example.prompt, example.chosen, good=True),
        Side(f"{example.id}-", example.prompt, example.rejected, good=False),
    )


def mismatched(sides: Sequence[Side]) -> dict[str, str]:
    """For each side the answer of another example: its neighbour in the order of ids."""
    ordered = sorted(sides, key=lambda side: side.name)
    turned = [*ordered[1:], *ordered[:1]]
    return {side.name: other.answer for side, other in zip(ordered, turned, strict=True)}


def kto_encode(
    encoder: Encoder, others: Mapping[str, str], reference: Mapping[str, float]
) -> Callable[[Side], Any]:
    """What turns a side into ids: with its own answer, and with that of another example."""

    def encode(side: Side) -> Any:
        rows = [encoder.pair(side.prompt, text) for text in (side.answer, others[side.name])]
        return rows, (reference[side.name], reference[f"{side.name}?"]), side.good

    return encode


def kto_collate(pad: int) -> Callable[[Sequence[Any]], dict[str, Tensor]]:
    """What stacks encoded sides: their own answers, then those of other examples."""

    def collate(examples: Sequence[Any]) -> dict[str, Tensor]:
        rows = [rows[which] for which in (0, 1) for rows, _, _ in examples]
        reference = torch.tensor([r[which] for which in (0, 1) for _, r, _ in examples])
        good = torch.tensor([g for _, _, g in examples])
        return {**pad_right(rows, pad), "reference": reference, "good": good}

    return collate


class KTOTrainer(BaseTrainer):
    """Trains on single answers; see `cai.train.losses.preference.kto`.

    How far the policy has moved from the reference is estimated on answers to other prompts, as in
    section 4.2 of the paper: the mean of their log-ratios in the batch, and at least 0.
    """

    def __init__(self, *args: Any, settings: KTOConfig, **options: Any) -> None:
        super().__init__(*args, **options)
        self._settings = settings

    def loss(self, model: Any, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Losses of the answers of a batch."""
        count = len(batch["good"])
        reference = batch["reference"]
        own, other = (
            {k: batch[k][part] for k in _ROWS} for part in (slice(count), slice(count, None))
        )
        with torch.no_grad():
            moved = answer_log_probs(model, other)[0] - reference[count:]
            divergence = moved.mean().clamp(min=0.0)
        ratios = answer_log_probs(model, own)[0] - reference[:count]
        losses = kto(
            *(ratios, batch["good"], divergence, self._settings.beta),
            desirable=self._settings.desirable,
            undesirable=self._settings.undesirable,
        )
        return losses, {"kl": divergence.expand(count), "log_ratio": ratios.detach()}
