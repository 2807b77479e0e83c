"""PPO learns what it is rewarded for, holds a divergence, and resumes exactly."""

import json
from pathlib import Path

import pytest

from tests.training.toy import early_letters, ppo


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_countable_reward_rises(seed: int, tmp_path: Path):
    log = ppo(tmp_path, seed).train()
    reward = log.column("reward")
    assert reward[0] < 0.2
    assert max(log.column("step")) <= 160
    assert sum(reward[-3:]) / 3 > 0.9
    # Before any step on an answer, the policy is the one that gave it.
    assert all(abs(ratio - 1.0) < 1e-5 for ratio in log.column("ratio_first"))


def test_the_adaptive_weight_brings_the_divergence_to_its_target(tmp_path: Path):
    target = 3.0
    options = {"kl": 0.1, "kl_target": target, "kl_horizon": 320, "function": early_letters}
    trainer = ppo(tmp_path, steps=480, **options)
    kl = trainer.train().column("kl")
    assert len(kl) == 120
    assert sum(kl[-50:]) / 50 == pytest.approx(target, rel=0.2)


def test_more_weight_on_the_divergence_means_less_of_it(tmp_path: Path):
    free, tied = (ppo(tmp_path / str(kl), steps=80, kl=kl).train() for kl in (0.0, 1.0))
    assert tied.column("kl")[-1] < 0.5 * free.column("kl")[-1]


@pytest.mark.parametrize("estimator", ["k2", "k3"])
def test_the_divergence_in_the_loss_holds_the_policy_back(estimator: str, tmp_path: Path):
    options = {"kl_in": "loss", "kl_estimator": estimator}
    free, tied = (ppo(tmp_path / str(kl), steps=80, kl=kl, **options).train() for kl in (0.0, 2.0))
    assert tied.column("kl")[-1] < 0.5 * free.column("kl")[-1]


def test_a_resumed_training_continues_the_same_curve(tmp_path: Path):
    whole = ppo(tmp_path / "whole", steps=40).train()
    first = ppo(tmp_path / "parts", steps=40, stop_after=5)
    first.train()
    resumed = ppo(tmp_path / "parts", steps=40).train(resume=True)
    assert len(whole.rows) == 10
    assert resumed.rows == whole.rows
    on_disk = [json.loads(x) for x in (tmp_path / "parts/log.jsonl").read_text().splitlines()]
    assert on_disk == whole.rows
