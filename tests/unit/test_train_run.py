"""Whole trainings of a tiny model, from a config to a folder."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from cai.errors import ConfigError, FatalEngineError, TrainingError
from cai.records import Message
from cai.train.models import load_policy, load_reward_model, rewards_of, trainable_share
from cai.train.rewards.learned import LearnedReward
from cai.train.rewards.opening import open_rewards
from cai.train.run import train
from cai.train.settings import ModelConfig, RewardConfig, TrainConfig
from cai.train.tokens import Encoder, pad_right
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, as a hub would hold it."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [
        {"prompt": f"Say {i}", "chosen": "yes yes", "rejected": f"no {i}", "p": 0.9}
        for i in range(40)
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def config(base: Path, data: Path, output: Path, **sections: Any) -> TrainConfig:
    training = {
        "max_steps": 4,
        "batch_size": 4,
        "micro_batch_size": 2,
        "max_length": 48,
        "max_prompt_length": 40,
        "learning_rate": 1e-3,
        "checkpoint_every": 2,
        **sections.pop("training", {}),
    }
    return TrainConfig.model_validate(
        {
            "data": [{"file": str(data), "dev_share": 0.2, "held_out_share": 0.2}],
            "gate": "report",
            "output": str(output),
            "model": {"name": str(base), **sections.pop("model", {})},
            "training": training,
            **sections,
        }
    )


@pytest.mark.parametrize("method", ["sft", "rm", "dpo", "kto"])
def test_a_training_writes_a_model_that_can_be_used(
    method: str, base: Path, data: Path, tmp_path: Path
):
    result = train(method, config(base, data, tmp_path / "out"))  # type: ignore[arg-type]
    assert result.steps == 4
    assert result.dev["loss"] > 0
    assert result.held_out["loss"] > 0
    names = {path.name for path in result.folder.iterdir()}
    written = {"model.safetensors", "README.md", "training.yaml", "training.json", "log.jsonl"}
    assert written | {"curves.png"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt"))]
    record = json.loads((result.folder / "training.json").read_text())
    assert record["fingerprint"].startswith("transformers/llama@")
    card = (result.folder / "README.md").read_text()
    unasked = "not validated: people have not been asked"
    assert f"**pairs.jsonl: {unasked}.** The training was told to use it all the same" in card
    assert f"| pairs.jsonl | ai | {unasked} | 1 | {record['sources'][0]['train']} |" in card
    reload = load_reward_model if method == "rm" else load_policy
    moved = reload(ModelConfig(name=str(result.folder))).model.state_dict()
    before = tiny_model().state_dict()
    assert any(not torch.equal(moved[name], before[name]) for name in before if name in moved)


@pytest.mark.parametrize("loss", ["ipo", "hinge", "robust", "cdpo", "orpo", "simpo"])
def test_every_loss_of_the_family_trains(loss: str, base: Path, data: Path, tmp_path: Path):
    options = {"loss": loss, "label_noise": 0.1}
    result = train("dpo", config(base, data, tmp_path / "out", dpo=options))
    assert result.dev["accuracy"] >= 0.0
    reference = (tmp_path / "out/reference.json").exists()
    assert reference == (loss not in ("orpo", "simpo"))


def test_dpo_learns_the_pairs(base: Path, data: Path, tmp_path: Path):
    longer = {"max_steps": 30, "learning_rate": 3e-3}
    result = train("dpo", config(base, data, tmp_path / "out", training=longer))
    assert result.held_out["accuracy"] == 1.0
    assert result.held_out["margin"] > 0


def test_a_reward_model_learns_the_pairs(base: Path, data: Path, tmp_path: Path):
    longer = {"max_steps": 40, "learning_rate": 3e-3}
    result = train("rm", config(base, data, tmp_path / "out", training=longer))
    assert result.held_out["accuracy"] == 1.0
    # It was told that p is 0.9, and not more.
    assert result.dev["ece"] < 0.3
    reward = LearnedReward.load(str(result.folder), max_length=48)
    prompt = (Message("user", "Say 7"),)
    good, bad = reward.score([prompt, prompt], ["yes yes", "no 7"])
    assert good > bad


def test_rankings_and_ratings(base: Path, tmp_path: Path):
    rankings, ratings = tmp_path / "rankings.jsonl", tmp_path / "ratings.jsonl"
    ranked = [{"prompt": f"Say {i}", "ranking": ["aa", "bb", "cc"][: 2 + i % 2]} for i in range(30)]
    rated = [{"prompt": f"Say {i}", "answer": "ab"[i % 2] * 3, "rating": i % 2} for i in range(30)]
    for path, rows in ((rankings, ranked), (ratings, rated)):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    longer = {"max_steps": 40, "learning_rate": 3e-3}
    result = train(
        "rm",
        config(*(base, rankings, tmp_path / "a"), rm={"loss": "plackett-luce"}, training=longer),
    )
    assert result.held_out["accuracy"] > 0.9
    result = train(
        "rm",
        config(
            *(base, ratings, tmp_path / "b"),
            rm={"loss": "regression"},
            training={**longer, "max_steps": 200},
        ),
    )
    assert result.held_out["loss"] < 0.1


def test_a_resumed_training_ends_with_the_same_weights(base: Path, data: Path, tmp_path: Path):
    whole = train("dpo", config(base, data, tmp_path / "whole"))
    stopped = config(base, data, tmp_path / "parts", training={"schedule": "constant"})
    same = config(base, data, tmp_path / "one", training={"schedule": "constant"})
    train("dpo", same)
    short = stopped.model_copy(
        update={"training": stopped.training.model_copy(update={"max_steps": 2})}
    )
    train("dpo", short)
    train("dpo", stopped, resume=True)
    weights = [
        AutoModelForCausalLM.from_pretrained(tmp_path / name).state_dict()
        for name in ("one", "parts")
    ]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    assert whole.steps == 4


def test_a_finished_training_is_not_overwritten(base: Path, data: Path, tmp_path: Path):
    once = config(base, data, tmp_path / "out", training={"max_steps": 1})
    train("sft", once)
    with pytest.raises(TrainingError, match="holds a finished training"):
        train("sft", once)
    with pytest.raises(TrainingError, match="No checkpoint"):
        train("sft", config(base, data, tmp_path / "other"), resume=True)


def test_only_the_upper_layers_move(base: Path, data: Path, tmp_path: Path):
    upper = {"adapt": "top", "top_layers": 1}
    result = train("dpo", config(base, data, tmp_path / "out", model=upper))
    moved = load_policy(ModelConfig(name=str(result.folder))).model.state_dict()
    before = tiny_model().state_dict()
    changed = {name for name in before if not torch.equal(before[name], moved[name])}
    assert changed
    assert all(name.startswith(("model.layers.1.", "model.norm", "lm_head")) for name in changed)


@pytest.mark.parametrize("method", ["rm", "dpo"])
def test_adapters_are_folded_in(method: str, base: Path, data: Path, tmp_path: Path):
    adapters = {"adapt": "lora", "lora": {"rank": 4}}
    result = train(method, config(base, data, tmp_path / "out", model=adapters))  # type: ignore[arg-type]
    assert (result.folder / "model.safetensors").is_file()
    assert not (result.folder / "adapter_model.safetensors").exists()
    reload = load_reward_model if method == "rm" else load_policy
    moved = reload(ModelConfig(name=str(result.folder))).model.state_dict()
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(moved[name], tiny_model().state_dict()[name])


def test_four_bits_need_a_gpu(base: Path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(TrainingError, match="needs CUDA"):
        load_policy(ModelConfig(name=str(base), adapt="qlora"))


def test_a_reward_is_read_at_the_last_real_token(base: Path):
    loaded = load_reward_model(ModelConfig(name=str(base)), training=True)
    assert loaded.tokenizer.pad_token_id != loaded.tokenizer.eos_token_id
    encoder = Encoder(loaded.tokenizer, 60)
    prompt = (Message("user", "Hm"),)
    rows = [encoder.pair(prompt, "short"), encoder.pair(prompt, "a much longer answer")]
    both = pad_right(rows, loaded.tokenizer.pad_token_id)
    alone = pad_right(rows[:1], loaded.tokenizer.pad_token_id)
    with torch.no_grad():
        together = rewards_of(loaded.model, both["input_ids"], both["attention_mask"])
        single = rewards_of(loaded.model, alone["input_ids"], alone["attention_mask"])
        theirs = loaded.model(**{k: both[k] for k in ("input_ids", "attention_mask")}).logits
    assert together[0].item() == pytest.approx(single[0].item(), abs=1e-5)
    # Programs that look for the last token that is no padding find the same.
    torch.testing.assert_close(theirs.squeeze(-1), together, atol=1e-5, rtol=1e-4)


def test_long_prompts_lose_their_beginning_and_long_answers_their_end():
    encoder = Encoder(tiny_tokenizer(), 40)
    prompt = (Message("user", "x" * 100),)
    before, after = encoder.pair(prompt, "abc")
    assert len(before) + len(after) == 40
    assert after[-1] == encoder.tokenizer.eos_token_id
    assert encoder.tokenizer.decode(before).endswith("assistant\n")
    before, after = encoder.pair(prompt, "y" * 100)
    assert (len(before), len(after)) == (20, 20)
    assert after[-1] != encoder.tokenizer.eos_token_id


def test_ppo_and_grpo_run_from_a_config(base: Path, data: Path, tmp_path: Path):
    rewards = [{"kind": "length", "target": 2}, {"kind": "repetition", "ngram": 1, "weight": 0.5}]
    generate = {"max_tokens": 6}
    for method, section in (
        ("ppo", {"ppo": {"rollouts": 4, "generate": generate}}),
        ("ppo", {"ppo": {"rollouts": 4, "generate": generate, "critic": "separate"}}),
        ("grpo", {"grpo": {"group_size": 4, "generate": generate}}),
        ("rloo", {"grpo": {"group_size": 4, "generate": generate}}),
    ):
        folder = tmp_path / f"{method}-{len(str(section))}"
        result = train(method, config(base, data, folder, rewards=rewards, **section))  # type: ignore[arg-type]
        rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        assert {"reward", "reward/length", "reward/repetition", "kl"} <= set(rows[0])
        assert "reward_last_tenth" in result.dev


def test_ppo_with_adapters_needs_no_second_model(base: Path, data: Path, tmp_path: Path):
    section = {"ppo": {"rollouts": 4, "generate": {"max_tokens": 6}}}
    adapters = {"adapt": "lora", "lora": {"rank": 4}}
    rewards = [{"kind": "length", "target": 2}]
    result = train(
        "ppo",
        config(base, data, tmp_path / "out", rewards=rewards, model=adapters, **section),
    )
    rows = [json.loads(x) for x in (tmp_path / "out/log.jsonl").read_text().splitlines()]
    # Before the first update the policy is its own reference.
    assert rows[0]["kl"] == pytest.approx(0.0, abs=1e-4)
    assert result.steps == 4


@pytest.mark.parametrize(
    ("rewards", "said"),
    [
        ([], "need a reward"),
        ([{"kind": "python", "path": "no.such.module:f"}], "cannot find the function"),
        ([{"kind": "python", "path": "math:pi"}], "and no function"),
        ([{"kind": "python", "path": "math"}], "Write package.module:function"),
    ],
)
def test_a_reward_that_cannot_be_opened_is_named(rewards: list[dict[str, Any]], said: str):
    with pytest.raises(ConfigError, match=said):
        open_rewards([RewardConfig.model_validate(reward) for reward in rewards], 48)


def test_what_cannot_be_trained_is_said(base: Path, data: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="share of wrong labels"):
        train("dpo", config(base, data, tmp_path / "a", dpo={"loss": "robust"}))
    with pytest.raises(ConfigError, match="micro_batch_size is 1"):
        train("kto", config(base, data, tmp_path / "b", training={"micro_batch_size": 1}))
    with pytest.raises(ConfigError, match="multiple of"):
        uneven = {"rewards": [{"kind": "length"}], "grpo": {"group_size": 3}}
        train("grpo", config(base, data, tmp_path / "c", **uneven))
    with pytest.raises(FatalEngineError):
        load_reward_model(ModelConfig(name=str(tmp_path)))


def test_how_many_weights_are_trained(base: Path):
    whole = trainable_share(load_policy(ModelConfig(name=str(base))).model)
    part = trainable_share(
        load_policy(ModelConfig(name=str(base), adapt="top", top_layers=1)).model
    )
    assert whole[0] == whole[1] == part[1] > part[0] > 0
