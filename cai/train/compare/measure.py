"""How a policy does on what it was not trained on: accuracy, divergence, reward."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import torch

from cai.hashing import short_id, unit_interval
from cai.train.compare.outcome import Divergence
from cai.train.data import load_data
from cai.train.examples import Preference, PromptExample
from cai.train.losses.kl import kl_estimate
from cai.train.models import load_policy
from cai.train.ppo.actor_critic import log_probs_of
from cai.train.ppo.rollout import generate, texts_of
from cai.train.reference import reference_log_probs
from cai.train.tokens import Encoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from cai.train.models import Policy
    from cai.train.ppo.rollout import Answers
    from cai.train.settings import TrainConfig

__all__ = ["Yardstick", "divergence_of", "implicit_wins"]

_PROMPTS = 64
_AT_ONCE = 16


@torch.no_grad()
def divergence_of(
    policy: Any, reference: Any, parts: Iterable[Answers], temperature: float
) -> Divergence:
    """How far a policy has gone from another; see `cai.train.losses.kl.kl_estimate`.

    Args:
        policy: π, a causal language model; it gave the answers.
        reference: π_ref, of the same vocabulary.
        parts: answers in batches, at least one.
        temperature: of the sampling.
    """
    sums: dict[str, list[Tensor]] = {"k1": [], "k3": []}
    for answers in parts:
        own, other = (log_probs_of(m, answers, temperature) for m in (policy, reference))
        for kind, totals in sums.items():
            estimate = kl_estimate(own, other, kind)  # type: ignore[arg-type]
            # Beyond the end of an answer there may be an infinite number: it is chosen away, since
            # a product with 0 would leave no number at all.
            totals.append(torch.where(answers.mask, estimate, 0.0).sum(-1).cpu())
    k1, k3 = (torch.cat(totals).double() for totals in sums.values())
    error = float(k1.std()) / math.sqrt(len(k1)) if len(k1) > 1 else 0.0
    return Divergence(float(k1.mean()), error, float(k3.mean()), len(k1))


def implicit_wins(
    ids: Iterable[str], policy: Mapping[str, float], reference: Mapping[str, float]
) -> list[float]:
    """Whether log π/π_ref of the chosen answer exceeds that of the rejected one.

    That is the sign of the implicit reward of DPO (Rafailov et al. 2023, arXiv:2305.18290,
    equation 5), and is defined for any policy, however it was trained.

    Args:
        ids: of n pairs.
        policy: summed log π by id and side, `+` for chosen and `-` for rejected.
        reference: the same under π_ref.

    Returns:
        n times 1 where it does, ½ for a tie, 0 where it does not.
    """
    wins = []
    for name in ids:
        chosen, rejected = (policy[name + side] - reference[name + side] for side in "+-")
        wins.append(float(chosen > rejected) + 0.5 * float(chosen == rejected))
    return wins


class Yardstick:
    """Pairs and prompts that nobody was trained on, and the model as it was before training.

    Pairs are held-out ones where files have any, and dev pairs otherwise; prompts are those of dev
    pairs where there are any. Models are held in float32: the rounding of bfloat16 is larger than
    what a short training changes.

    Args:
        config: names the data and the untrained model; says how answers are sampled.
        scratch: folder for log-probabilities.

    Raises:
        CaiError: as `load_data` and `load_policy`.
    """

    def __init__(self, config: TrainConfig, scratch: Path) -> None:
        data = load_data(Preference, config)
        self.pairs = data.held_out or data.dev
        self.prompts = _prompts(data.dev or data.held_out)
        self._config, self._scratch = config, scratch
        self._base = self.load(config.model.name)

    def load(self, name: str) -> Policy:
        """A policy to be measured: the embedded model, a folder, or a hub name."""
        exact = {"name": name, "dtype": "float32"}
        return load_policy(self._config.model.model_copy(update=exact), training=False)

    def wins(self, policy: Policy) -> list[float]:
        """`implicit_wins` on the pairs, against the untrained model."""
        reference = self._log_probs(self._base, "untrained")
        ids = [pair.id for pair in self.pairs]
        return implicit_wins(ids, self._log_probs(policy, "trained"), reference)

    def seconds_per_pair(self) -> float:
        """What the untrained model takes for both answers of a pair; the results are kept."""
        (self._scratch / "untrained.log-probs.json").unlink(missing_ok=True)
        # The first pass reads the weights, and is slower.
        self._log_probs(self._base, "warm", self.pairs[: self._config.training.micro_batch_size])
        began = time.monotonic()
        self._log_probs(self._base, "untrained")
        return (time.monotonic() - began) / len(self.pairs)

    def sample(self, policy: Policy | None = None) -> list[Answers]:
        """One answer to each prompt, in batches, by default of the untrained model.

        They come from the whole distribution, also where the config samples only its head: an
        estimate of the divergence needs that.
        """
        policy = policy or self._base
        how = self._config.ppo.generate.model_copy(update={"top_p": 1.0})
        longest = self._config.training.max_prompt_length
        torch.manual_seed(int(unit_interval("bench", self._config.training.seed) * 2**31))
        starts = range(0, len(self.prompts), _AT_ONCE)
        batches = [self.prompts[start : start + _AT_ONCE] for start in starts]
        return [generate(policy.model, policy.tokenizer, b, how, longest) for b in batches]

    def divergence(self, policy: Policy, answers: Sequence[Answers]) -> Divergence:
        """From the untrained model, on answers that the policy gave."""
        temperature = self._config.ppo.generate.temperature
        return divergence_of(policy.model, self._base.model, answers, temperature)

    def rewards(self, answers: Sequence[Answers], folder: str | None) -> list[float]:
        """What a reward model gives to answers to the prompts; nothing without one."""
        if folder is None:
            return []
        from cai.train.rewards.learned import LearnedReward

        reward = LearnedReward.load(folder, max_length=self._config.training.max_length)
        texts = [text for part in answers for text in texts_of(part, self._base.tokenizer)]
        return reward.score([prompt.messages for prompt in self.prompts], texts)

    def _log_probs(
        self, policy: Policy, name: str, pairs: Sequence[Preference] | None = None
    ) -> dict[str, float]:
        questions = {
            f"{pair.id}{side}": (pair.prompt, text)
            for pair in (self.pairs if pairs is None else pairs)
            for side, text in (("+", pair.chosen), ("-", pair.rejected))
        }
        optim = self._config.training
        return reference_log_probs(
            policy.model,
            Encoder(policy.tokenizer, optim.max_length),
            questions,
            fingerprint=policy.fingerprint,
            batch_size=optim.micro_batch_size * 2,
            cache=self._scratch / f"{name}.log-probs.json",
        )


def _prompts(pairs: Sequence[Preference]) -> list[PromptExample]:
    """The prompts of pairs, each once, at most 64 drawn by hash."""
    found = {}
    for pair in pairs:
        name = short_id([[m.role, m.content] for m in pair.prompt])
        found[name] = PromptExample(pair.prompt, name)
    return sorted(found.values(), key=lambda p: unit_interval("bench", p.id))[:_PROMPTS]
