"""Sampling answers and working out what PPO learns from them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cai.train.losses.advantages import gae, whiten
from cai.train.losses.kl import kl_estimate
from cai.train.tokens import Encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.train.examples import PromptExample
    from cai.train.settings import GenerateConfig, PPOConfig
    from cai.train.vllm_rollouts import VllmSampler

__all__ = ["Answers", "Lessons", "generate", "lessons_of", "texts_of"]


@dataclass(frozen=True, slots=True)
class Answers:
    """Prompts, padded on the left, and sampled answers, padded on the right.

    Args:
        ids: (n, p + t) all tokens.
        attention: (n, p + t) which are there.
        positions: (n, p + t) their positions, without the padding.
        tokens: (n, t) the answers.
        mask: (n, t) their tokens up to the first end of turn, which is one of them.
        ended: (n,) whether the answer ended by itself.
    """

    ids: Tensor
    attention: Tensor
    positions: Tensor
    tokens: Tensor
    mask: Tensor
    ended: Tensor

    def part(self, index: Tensor | slice) -> Answers:
        """Some of the answers."""
        return Answers(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Lessons:
    """What an update needs beside the answers, per token (n, t)."""

    log_probs: Tensor
    values: Tensor
    reference: Tensor
    advantages: Tensor
    returns: Tensor

    def part(self, index: Tensor | slice) -> Lessons:
        """Those of some of the answers."""
        return Lessons(*(getattr(self, field.name)[index] for field in fields(self)))


@torch.no_grad()
def generate(
    policy: Any,
    tokenizer: Any,
    prompts: Sequence[PromptExample],
    how: GenerateConfig,
    longest_prompt: int,
    sampler: VllmSampler | None = None,
) -> Answers:
    """Sample one answer to each prompt from the policy's own distribution.

    Args:
        policy: a causal language model.
        tokenizer: its tokenizer.
        prompts: what to answer.
        how: temperature, lengths.
        longest_prompt: tokens; longer prompts lose their beginning.
        sampler: samples in place of transformers.
    """
    encoder = Encoder(tokenizer, longest_prompt)
    rows = [encoder.prompt(prompt.messages, longest_prompt) for prompt in prompts]
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    width, device = max(map(len, rows)), policy.device
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=device)
    there = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    if sampler is None:
        tokens = _sampled(policy, tokenizer, ids, there, how, pad)
    else:
        found = sampler.sample(rows)
        longest = max(map(len, found))
        filled = [row + [tokenizer.eos_token_id] * (longest - len(row)) for row in found]
        tokens = torch.tensor(filled, device=device)
    is_end = tokens == tokenizer.eos_token_id
    # Everything before the first end of turn, and that itself.
    mask = (is_end.long().cumsum(-1) - is_end.long()) == 0
    attention = torch.cat([there, mask.long()], dim=-1)
    positions = (attention.cumsum(-1) - 1).clamp(min=0)
    whole = torch.cat([ids, tokens], dim=-1)
    return Answers(whole, attention, positions, tokens, mask, is_end.any(-1))


def _sampled(
    policy: Any, tokenizer: Any, ids: Tensor, there: Tensor, how: GenerateConfig, pad: int
) -> Tensor:
    """Tokens of the answers, (n, t), filled up after their ends."""
    was_training = policy.training
    policy.eval()
    whole = policy.generate(
        input_ids=ids,
        attention_mask=there,
        do_sample=True,
        temperature=how.temperature,
        top_p=how.top_p,
        top_k=0,
        repetition_penalty=1.0,
        max_new_tokens=how.max_tokens,
        pad_token_id=pad,
        eos_token_id=tokenizer.eos_token_id,
    )
    policy.train(was_training)
    tokens: Tensor = whole[:, ids.shape[1] :]
    return tokens


def texts_of(answers: Answers, tokenizer: Any) -> list[str]:
    """The answers as text, without the end of turn."""
    return [
        tokenizer.decode(tokens[mask], skip_special_tokens=True)
        for tokens, mask in zip(answers.tokens, answers.mask, strict=True)
    ]


def lessons_of(
    answers: Answers,
    log_probs: Tensor,
    values: Tensor,
    reference: Tensor,
    scores: Tensor,
    settings: PPOConfig,
    kl_weight: float,
) -> Lessons:
    """Rewards per token, advantages and returns.

    The score of an answer is the reward of its last token; the divergence from the reference is
    taken off at each token (Ziegler et al. 2019, arXiv:1909.08593, equation 2), unless it enters
    through the loss.

    Args:
        answers: n answers.
        log_probs: (n, t) of the policy that sampled them.
        values: (n, t) of the critic.
        reference: (n, t) log-probabilities of the reference.
        scores: (n,) rewards.
        settings: of PPO.
        kl_weight: β.
    """
    weights = answers.mask.to(log_probs.dtype)
    scores = scores - settings.missing_eos_penalty * (~answers.ended).to(scores.dtype)
    rewards = torch.zeros_like(log_probs)
    last = answers.mask.sum(-1) - 1
    rewards[torch.arange(len(last), device=last.device), last] = scores
    if settings.kl_in == "reward":
        estimate = kl_estimate(log_probs, reference, settings.kl_estimator)
        rewards = rewards - kl_weight * estimate * weights
    if settings.whiten_rewards:
        rewards = whiten(rewards, weights, shift_mean=False)
    advantages, returns = gae(rewards, values, answers.mask, settings.gamma, settings.gae_lambda)
    if settings.whiten_advantages:
        advantages = whiten(advantages, weights)
    return Lessons(log_probs, values * weights, reference, advantages, returns)
