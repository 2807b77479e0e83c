"""What TRL computes for us is the papers' objective: a float64 transcription of each step."""

import copy
import math
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch
import trl.trainer

from tests.training.test_grpo_toy import grpo
from tests.training.toy import policy

pytestmark = pytest.mark.filterwarnings("default")

CLIP, BETA, GROUP, LONGEST = 0.2, 0.05, 8, 12


class Recorded:
    """The steps that a trainer of TRL took: its inputs, its loss, and the weights before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.steps: list[tuple[dict[str, Any], float, Any]] = []
        self.samples: list[tuple[torch.Tensor, list[float]]] = []
        library: Any = trl.trainer
        base, records = getattr(library, name), self

        class Recording(base):  # type: ignore[misc]
            def _calculate_rewards(self, inputs: Any, prompts: Any, *rest: Any) -> Any:
                rewards = super()._calculate_rewards(inputs, prompts, *rest)
                records.rewards = rewards.sum(-1).tolist()
                return rewards

            def _generate_and_score_completions(self, inputs: Any) -> Any:
                found = super()._generate_and_score_completions(inputs)
                records.samples.append((found["advantages"].clone(), records.rewards))
                return found

            def _compute_loss(self, model: Any, inputs: Any) -> Any:
                loss = super()._compute_loss(model, inputs)
                kept = {k: v.clone() for k, v in inputs.items() if isinstance(v, torch.Tensor)}
                weights = copy.deepcopy(self.accelerator.unwrap_model(model).state_dict())
                records.steps.append((kept, float(loss.detach()), weights))
                return loss

        monkeypatch.setattr(library, name, Recording)
        self.rewards: list[float] = []


def log_probs(model: Any, inputs: dict[str, Any]) -> list[list[float]]:
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    there = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    positions = (there.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=there, position_ids=positions).logits
    wide = inputs["completion_ids"].shape[1]
    own = logits[:, -wide - 1 : -1].log_softmax(-1)
    return own.gather(-1, inputs["completion_ids"].unsqueeze(-1)).squeeze(-1).tolist()


def objective(inputs: dict[str, Any], model: Any, reference: Any, loss: str) -> float:
    """Equations 3 and 4 of Shao et al. 2024 (arXiv:2402.03300), and the other ways to average."""
    now, before = log_probs(model, inputs), log_probs(reference, inputs)
    old = inputs["old_per_token_logps"].tolist() if "old_per_token_logps" in inputs else now
    answers, tokens = [], 0
    for i, mask in enumerate(inputs["completion_mask"].tolist()):
        terms = []
        for t, counts in enumerate(mask):
            if counts:
                ratio = math.exp(now[i][t] - old[i][t])
                advantage = float(inputs["advantages"][i])
                near = min(max(ratio, 1.0 - CLIP), 1.0 + CLIP)
                apart = before[i][t] - now[i][t]
                divergence = math.exp(apart) - apart - 1.0
                terms.append(min(ratio * advantage, near * advantage) - BETA * divergence)
        answers.append(terms)
        tokens += len(terms)
    if loss == "grpo":
        return -statistics.fmean(statistics.fmean(terms) for terms in answers)
    total = math.fsum(math.fsum(terms) for terms in answers)
    return -total / (len(answers) * LONGEST if loss == "dr_grpo" else tokens)


@pytest.mark.parametrize("loss", ["grpo", "dapo", "dr_grpo", "bnpo"])
def test_the_loss_is_the_objective(loss: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen = Recorded(monkeypatch, "GRPOTrainer")
    grpo(tmp_path, steps=4, loss=loss, updates=2, group_size=GROUP, beta=BETA, clip=CLIP)
    reference = policy(0).double().eval()
    assert len(seen.steps) == 4
    moved = 0.0
    for inputs, value, weights in seen.steps:
        model = policy(0)
        model.load_state_dict(weights)
        model.double().eval()
        assert value == pytest.approx(objective(inputs, model, reference, loss), rel=1e-4, abs=1e-6)
        if "old_per_token_logps" in inputs:
            apart = torch.tensor(log_probs(model, inputs)) - inputs["old_per_token_logps"]
            moved = max(moved, float((apart * inputs["completion_mask"]).abs().max()))
    # The second pass over the same answers has ratios that the clip acts on.
    assert moved > math.log(1.0 + CLIP)


def test_advantages_are_those_of_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen = Recorded(monkeypatch, "GRPOTrainer")
    grpo(tmp_path, steps=1, group_size=GROUP)
    [(advantages, rewards)] = seen.samples
    for start in range(0, len(rewards), GROUP):
        group = rewards[start : start + GROUP]
        mean, deviation = statistics.fmean(group), statistics.stdev(group)
        for reward, advantage in zip(group, advantages[start:].tolist(), strict=False):
            assert advantage == pytest.approx((reward - mean) / (deviation + 1e-4), abs=1e-4)


def test_those_of_rloo_leave_one_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen = Recorded(monkeypatch, "RLOOTrainer")
    # RLOO takes the divergence off the reward; without it, the reward is ours alone.
    grpo(tmp_path, method="rloo", steps=1, group_size=GROUP, beta=0.0)
    [(advantages, rewards)] = seen.samples
    for start in range(0, len(rewards), GROUP):
        group = rewards[start : start + GROUP]
        for j, reward in enumerate(group):
            others = statistics.fmean(group[:j] + group[j + 1 :])
            assert float(advantages[start + j]) == pytest.approx(reward - others, abs=1e-5)
