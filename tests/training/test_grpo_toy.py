"""GRPO and RLOO learn what they are rewarded for, with the objectives of their papers."""

from pathlib import Path
from typing import Any

import pytest

from cai.train.grpo import train_grpo
from cai.train.log import TrainLog
from cai.train.settings import GRPOConfig, OptimConfig
from tests.training.toy import PROMPTS, policy, reward, tokenizer

pytestmark = pytest.mark.filterwarnings("default")


def grpo(
    folder: Path,
    seed: int = 0,
    method: str = "grpo",
    steps: int = 160,
    batch: int = 64,
    **settings: Any,
) -> TrainLog:
    generate = {"max_tokens": 12}
    return train_grpo(
        policy(seed),
        tokenizer(),
        PROMPTS,
        reward(),
        settings=GRPOConfig.model_validate({"generate": generate, **settings}),
        optim=OptimConfig(
            max_steps=steps,
            seed=seed,
            batch_size=batch,
            micro_batch_size=batch,
            schedule="constant",
            warmup=0.0,
            checkpoint_every=1000,
        ),
        output=folder,
        learning_rate=3e-3,
        method=method,
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_countable_reward_rises(seed: int, tmp_path: Path):
    curve = grpo(tmp_path, seed).column("reward")
    assert curve[0] < 0.2
    assert len(curve) <= 160
    assert sum(curve[-5:]) / 5 > 0.9
