"""Choosing the next token of each row, independently of the rows beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cai.hashing import content_hash
from cai.records import TokenAlternative

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.records import Request

__all__ = ["Draw", "best_tokens", "choose", "keep_nucleus"]

_SHORTLIST = 512


class Draw:
    """How one row draws: its temperature, nucleus and private stream of noise.

    The stream depends on the seed and the sample index alone; without a seed it is random.
    """

    def __init__(self, request: Request) -> None:
        self.temperature = request.sampling.temperature
        self.top_p = request.sampling.top_p
        self._generator = torch.Generator()
        if request.sampling.seed is None:
            self._generator.seed()
        else:
            digest = content_hash([request.sampling.seed, request.sample_index])
            self._generator.manual_seed(int(digest[:15], 16))

    def noise(self, size: int) -> Tensor:
        """Exponential(1) variates of shape (size,), always drawn on the CPU."""
        return torch.empty(size).exponential_(generator=self._generator)


def choose(logits: Tensor, draws: list[Draw]) -> list[int]:
    """Pick a token per row of `logits` (batch, vocabulary).

    Sampling is the Gumbel-max trick in its exponential form: argmax(p / E) with E ~ Exp(1) is a
    draw from p. Noise is per token, so rounding differences flip a choice only at near ties.
    """
    picks = logits.argmax(dim=-1)
    warm = [row for row, draw in enumerate(draws) if draw.temperature > 0]
    if warm:
        heat = torch.tensor([draws[row].temperature for row in warm], device=logits.device)
        scores = torch.log_softmax(logits[warm].float() / heat[:, None], dim=-1)
        for index, row in enumerate(warm):
            if draws[row].top_p < 1.0:
                keep_nucleus(scores[index], draws[row].top_p)
        noise = torch.stack([draws[row].noise(logits.shape[-1]) for row in warm])
        picks[warm] = (scores - noise.to(logits.device).log_()).argmax(dim=-1)
    chosen: list[int] = picks.tolist()
    return chosen


def keep_nucleus(logprobs: Tensor, top_p: float) -> None:
    """Set to −inf, in place, all but the fewest likeliest tokens that hold `top_p` together.

    Nucleus sampling, Holtzman et al. 2020 (arXiv 1904.09751), section 3.1.

    Args:
        logprobs: (vocabulary,) normalised log-probabilities.
        top_p: in (0, 1).
    """
    size = min(_SHORTLIST, logprobs.shape[0])
    values, order = logprobs.topk(size)
    if values.exp().sum() < top_p and size < logprobs.shape[0]:
        values, order = logprobs.sort(descending=True)
    before = values.exp().cumsum(0) - values.exp()
    kept = order[before < top_p]
    survivors = logprobs[kept]
    logprobs.fill_(-torch.inf)
    logprobs[kept] = survivors


def best_tokens(
    logits: Tensor, count: int, token_text: Callable[[int], str]
) -> tuple[TokenAlternative, ...]:
    """The `count` likeliest tokens of (vocabulary,) logits at temperature 1, best first."""
    top = torch.log_softmax(logits.float(), dim=-1).topk(min(count, logits.shape[-1]))
    return tuple(
        TokenAlternative(token_text(token), logprob)
        for logprob, token in zip(top.values.tolist(), top.indices.tolist(), strict=True)
    )
