"""A policy and a value for each of its tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cai.train.losses.policy import entropy_of

if TYPE_CHECKING:
    from cai.train.ppo.rollout import Answers

__all__ = ["ActorCritic", "Scored"]


@dataclass(frozen=True, slots=True)
class Scored:
    """Per token of the answers, (n, t): log π, entropy in nats, and value before the token."""

    log_probs: Tensor
    entropy: Tensor
    values: Tensor


class ActorCritic(nn.Module):
    """A causal language model with a value head, or with a critic of its own.

    Logits are divided by the temperature of sampling, so that log π is that of the distribution
    that was sampled from. All arithmetic on logits is in float32.
    """

    def __init__(self, policy: Any, temperature: float, critic: Any = None) -> None:
        """Wrap a policy.

        Args:
            policy: a causal language model, perhaps with adapters.
            temperature: of sampling.
            critic: a decoder with a linear `score`, such as a reward model; a head on the policy
                when absent. The head begins at zero: the first values are all 0.
        """
        super().__init__()
        self.policy = policy
        self.critic = critic
        self._temperature = temperature
        if critic is None:
            width = policy.config.get_text_config().hidden_size
            self.head = nn.Linear(width, 1, device=policy.device, dtype=torch.float32)
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, answers: Answers) -> Scored:
        """Score the tokens of answers; positions without a token hold numbers without meaning."""
        count = answers.tokens.shape[1]
        inputs = {
            "input_ids": answers.ids,
            "attention_mask": answers.attention,
            "position_ids": answers.positions,
            "use_cache": False,
        }
        output = self.policy(
            **inputs, logits_to_keep=count + 1, output_hidden_states=self.critic is None
        )
        logits = output.logits[:, :-1].float() / self._temperature
        log_probs = _chosen(logits, answers.tokens)
        if self.critic is None:
            hidden, score = output.hidden_states[-1][:, -count - 1 : -1], self.head
        else:
            inputs.pop("use_cache")
            hidden = self.critic.base_model(**inputs).last_hidden_state[:, -count - 1 : -1]
            score = self.critic.score
        # Advantages are small differences of values: these are never rounded to bfloat16.
        with torch.autocast(hidden.device.type, enabled=False):
            values = score(hidden.to(score.weight.dtype)).squeeze(-1).float()
        return Scored(log_probs, entropy_of(logits), values)


def log_probs_of(policy: Any, answers: Answers, temperature: float) -> Tensor:
    """Log π of the tokens of answers under any policy, (n, t)."""
    output = policy(
        input_ids=answers.ids,
        attention_mask=answers.attention,
        position_ids=answers.positions,
        use_cache=False,
        logits_to_keep=answers.tokens.shape[1] + 1,
    )
    return _chosen(output.logits[:, :-1].float() / temperature, answers.tokens)


def _chosen(logits: Tensor, tokens: Tensor) -> Tensor:
    picked = logits.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    return picked - logits.logsumexp(-1)
