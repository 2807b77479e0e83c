"""Trained weights are in float32; only a GPU computes in bfloat16, and never by accident."""

import pytest
import torch

from cai.train.models import autocasts, weights_dtype
from cai.train.settings import ModelConfig, OptimConfig
from cai.train.trainer import arguments


@pytest.fixture(params=[True, False], ids=["with bfloat16", "without"])
def gpu(request, monkeypatch) -> bool:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: request.param)
    return request.param


@pytest.mark.parametrize("adapt", ["full", "top", "lora"])
@pytest.mark.parametrize("training", [True, False])
def test_a_cpu_holds_and_computes_in_float32(adapt: str, training: bool):
    config = ModelConfig(adapt=adapt)
    assert weights_dtype(config, training=training) == "float32"
    assert not autocasts(config)


def test_a_gpu_computes_in_bfloat16_and_keeps_small_steps(gpu: bool):
    frozen = "bfloat16" if gpu else "float32"
    for adapt, dtype in (("full", "float32"), ("top", "float32"), ("lora", frozen)):
        config = ModelConfig(adapt=adapt)
        assert weights_dtype(config, training=True) == dtype
        assert weights_dtype(config, training=False) == frozen
        assert autocasts(config) == gpu


def test_what_is_asked_for_is_done(gpu: bool):
    config = ModelConfig(dtype="bfloat16")
    assert weights_dtype(config, training=True) == "bfloat16"
    assert not autocasts(config)
    on_cpu = ModelConfig(device="cpu")
    assert weights_dtype(on_cpu, training=False) == "float32"
    assert not autocasts(on_cpu)


def test_a_step_of_a_small_rate_is_lost_in_bfloat16():
    """Why trained weights are in float32."""
    step = 1e-6
    assert torch.tensor(1.0, dtype=torch.bfloat16) - step == 1.0
    assert torch.tensor(1.0) - step < 1.0


def test_the_trainer_is_told_outright(tmp_path):
    made = arguments("dpo", OptimConfig(), tmp_path, 16, adapters=False)
    assert (made.bf16, made.fp16, made.use_cpu) == (False, False, not torch.cuda.is_available())
