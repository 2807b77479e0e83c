"""Sampling through vLLM in online trainings: what TRL is told, and PPO on a stand-in for it."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
import trl.trainer

from cai.errors import ConfigError, MissingExtraError
from cai.train.settings import GenerateConfig
from cai.train.vllm_rollouts import trl_arguments
from tests.training.toy import policy, ppo

pytestmark = pytest.mark.filterwarnings("default")


class Bridge:
    """In place of TRL's: samples with weights that it was handed."""

    def __init__(self, model: Any, accelerator: Any, processing_class: Any, **options: Any) -> None:
        self.trained, self.words, self.options = model, processing_class, options
        self.own = policy(seed=99)
        self.synced = 0
        Bridge.last = self

    def sync_weights(self) -> None:
        self.own.load_state_dict(self.trained.state_dict())
        self.synced += 1

    def generate(self, prompts: list[list[int]], images: None, num_generations: int) -> Any:
        assert num_generations == 1
        assert all(isinstance(prompt, list) for prompt in prompts)
        ids = torch.tensor(prompts)  # those of the toy are of one length
        torch.manual_seed(self.synced)
        whole = self.own.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            max_new_tokens=self.options["max_completion_length"],
            pad_token_id=self.words.pad_token_id,
        )
        # vLLM's answers end with the end of turn and are not filled up.
        end, rows = self.words.eos_token_id, whole[:, ids.shape[1] :].tolist()
        answers = [row[: row.index(end) + 1] if end in row else row for row in rows]
        return prompts, answers, None, None


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> type[Bridge]:
    from trl.generation import vllm_generation

    monkeypatch.setattr(vllm_generation, "VLLMGeneration", Bridge)
    monkeypatch.setattr("cai.train.vllm_rollouts.find_spec", lambda name: object())
    monkeypatch.setattr("cai.train.vllm_rollouts._on_gpu", lambda: True)
    return Bridge


def test_ppo_learns_from_answers_of_vllm(bridge: type[Bridge], tmp_path: Path):
    trainer = ppo(tmp_path, steps=100, generate={"max_tokens": 12, "vllm": {"gpu_memory": 0.2}})
    log = trainer.train()
    made = bridge.last
    assert made.synced == trainer.updates  # before each update, and not more often
    wanted = {"mode": "colocate", "gpu_memory_utilization": 0.2, "tensor_parallel_size": 1}
    assert made.options.items() >= wanted.items()
    reward = log.column("reward")
    assert sum(reward[-3:]) / 3 > reward[0] + 0.3
    # The ratio is to the policy's own probabilities, whoever sampled.
    assert all(abs(ratio - 1.0) < 1e-5 for ratio in log.column("ratio_first"))


@pytest.mark.parametrize("name", ["GRPOConfig", "RLOOConfig"])
def test_trl_knows_what_it_is_told(name: str, bridge: type[Bridge]):
    vllm = {"mode": "server", "server_url": "http://localhost:8000"}
    told = trl_arguments(GenerateConfig.model_validate({"vllm": vllm}), 256)
    library: Any = trl.trainer
    assert set(told) <= {field.name for field in fields(getattr(library, name))}
    assert told["use_vllm"] is True
    assert told["vllm_server_base_url"] == "http://localhost:8000"
    assert told["vllm_max_model_length"] == 256 + 64
    assert trl_arguments(GenerateConfig(), 256) == {}


def test_without_vllm_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cai.train.vllm_rollouts._on_gpu", lambda: True)
    with pytest.raises(MissingExtraError, match=r"constitutional-ai\[train,vllm\]"):
        trl_arguments(GenerateConfig.model_validate({"vllm": {}}), 256)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_cpu_cannot_take_new_weights():
    with pytest.raises(ConfigError, match=r"needs a CUDA device.*Leave the section out"):
        trl_arguments(GenerateConfig.model_validate({"vllm": {}}), 256)


@pytest.mark.parametrize("vllm", [{"mode": "server"}, {"server_url": "http://localhost:1"}])
def test_a_server_and_its_address_go_together(vllm: dict[str, str]):
    with pytest.raises(ValueError, match="do not go together"):
        GenerateConfig.model_validate({"vllm": vllm})
