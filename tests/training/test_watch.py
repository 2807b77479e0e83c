"""The watch tells a policy that gets better from one that only pleases its reward."""

from pathlib import Path
from typing import Any

import pytest

from cai.train.grpo import train_grpo
from cai.train.log import TrainLog
from cai.train.settings import GenerateConfig, GRPOConfig, OptimConfig, WatchConfig
from cai.train.watch import Watch, watch_ppo
from cai.train.watch.verdict import mean
from tests.training.toy import PROMPTS, count_of_a, policy, ppo, reward, some_of_a, tokenizer

pytestmark = pytest.mark.filterwarnings("default")

HOLDS, FREE = 0.03, 0.0
"""Weights of the divergence: with the first, a in half of the places costs what it brings."""


def watch(folder: Path, log: TrainLog, **settings: Any) -> Watch:
    limits = {"max_repetition": None, "max_length_ratio": None}
    return Watch(
        WatchConfig.model_validate({"every": 8, "prompts": 16, **limits, **settings}),
        tokenizer(),
        reward(count_of_a),
        gold=reward(some_of_a),
        refusal=None,
        prompts=PROMPTS,
        generate=GenerateConfig(max_tokens=12),
        longest_prompt=32,
        seed=0,
        folder=folder,
        log=log,
        say=lambda text: None,
    )


def with_ppo(folder: Path, kl: float, steps: int = 160, **settings: Any) -> tuple[Watch, Any]:
    log = TrainLog(folder / "log.jsonl")
    seen, model = watch(folder, log, **settings), policy(0)
    trainer = ppo(
        folder,
        steps=steps,
        kl=kl,
        model=model,
        function=count_of_a,
        log=log,
        after_update=watch_ppo(seen),
    )
    seen.begin(model)
    trainer.train()
    seen.finish(model)
    return seen, model


def with_grpo(folder: Path, kl: float, steps: int = 120, **settings: Any) -> tuple[Watch, Any]:
    log = TrainLog(folder / "log.jsonl")
    seen, model = watch(folder, log, **settings), policy(0)
    train_grpo(
        *(model, tokenizer(), PROMPTS, reward(count_of_a)),
        settings=GRPOConfig(beta=kl, generate=GenerateConfig(max_tokens=12)),
        optim=OptimConfig(
            max_steps=steps, batch_size=64, micro_batch_size=64, schedule="constant", warmup=0.0
        ),
        output=folder,
        learning_rate=3e-3,
        watch=seen,
        log=log,
    )
    seen.finish(model)
    return seen, model


def gold_of(seen: Watch, model: Any) -> float:
    texts, _ = seen._answers(model)
    return mean(some_of_a([], texts))


@pytest.mark.parametrize("train", [with_ppo, with_grpo])
def test_without_the_divergence_the_reward_is_hacked_and_the_watch_ends_it(
    train: Any, tmp_path: Path
):
    seen, model = train(tmp_path, FREE)
    first, last = seen.looks[0], seen.looks[-1]
    assert mean(last.proxy) > 0.8 > 0.2 > mean(first.proxy)
    assert mean(last.gold) < 0.2 < 0.3 < mean(seen.best.gold)
    assert any("the gold fell" in note for note in seen.notes)
    assert "was ended" in seen.notes[-2]
    assert last.step < (160 if train is with_ppo else 120)
    # What is left is the model that the gold liked, not the one that hacked.
    assert gold_of(seen, model) == pytest.approx(mean(seen.best.gold))


def test_with_the_divergence_nothing_is_hacked_and_the_watch_is_silent(tmp_path: Path):
    seen, _ = with_ppo(tmp_path, HOLDS, steps=240)
    assert [note for note in seen.notes if "gold fell" in note] == []
    assert seen.looks[-1].step == 240
    assert mean(seen.looks[-1].gold) > 0.3


def test_a_rollback_takes_the_best_weights_and_a_tighter_hold(tmp_path: Path):
    seen, _ = with_ppo(tmp_path, 0.002, action="rollback", rollbacks=1, patience=1)
    back = [note for note in seen.notes if "back to the weights" in note]
    assert len(back) == 1
    weights = seen._log.column("kl_weight")
    assert weights[0] == 0.002
    assert weights[-1] == 0.004
