"""Supervised fine-tuning on revisions and other answers; only the answer's tokens are learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.train.models import answer_log_probs
from cai.train.tokens import Encoder, pad_right
from cai.train.trainer import BaseTrainer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from cai.train.examples import Demonstration

__all__ = ["SFTTrainer", "sft_collate", "sft_encode"]


def sft_encode(encoder: Encoder) -> Callable[[Demonstration], Any]:
    """What turns an example into the ids of prompt and answer."""
    return lambda example: encoder.pair(example.prompt, example.answer)


def sft_collate(pad: int) -> Callable[[Sequence[Any]], dict[str, Tensor]]:
    """What stacks encoded examples."""
    return lambda rows: pad_right(rows, pad)


class SFTTrainer(BaseTrainer):
    """Maximises the likelihood of answers; each answer counts the same, whatever its length."""

    def loss(self, model: Any, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Negative log-likelihood per token of each answer."""
        total, count = answer_log_probs(model, dict(batch))
        per_token = -total / count
        return per_token, {"tokens": count}
