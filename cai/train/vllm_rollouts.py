"""Sampling a policy's answers through vLLM, which is handed the weights after each update.

TRL's own bridge does the work, for its trainers and for ours: it knows how the weights of adapters
and of sharded models reach vLLM.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cai.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.train.settings import GenerateConfig, VllmRolloutsConfig

__all__ = ["VllmSampler", "trl_arguments"]


def trl_arguments(how: GenerateConfig, longest_prompt: int) -> dict[str, Any]:
    """What TRL's configs are told; nothing where transformers samples.

    Raises:
        ConfigError: there is no GPU.
        MissingExtraError: vLLM is not installed.
    """
    if how.vllm is None:
        return {}
    options = _options(how.vllm, longest_prompt + how.max_tokens)
    return {"use_vllm": True, **{f"vllm_{name}": value for name, value in options.items()}}


class VllmSampler:
    """Samples answers to prompts that are token ids."""

    def __init__(
        self, policy: Any, tokenizer: Any, accelerator: Any, how: GenerateConfig, longest: int
    ) -> None:
        """Start vLLM, or reach its server.

        Args:
            policy: a causal language model that came from a folder or hub, or one with adapters.
            tokenizer: its tokenizer.
            accelerator: of the training.
            how: answers are sampled; `how.vllm` says where.
            longest: tokens of a prompt.

        Raises:
            ConfigError: there is no GPU.
            MissingExtraError: vLLM is not installed.
        """
        assert how.vllm is not None
        options = _options(how.vllm, longest + how.max_tokens)
        from trl.generation.vllm_generation import VLLMGeneration

        self._bridge: Any = VLLMGeneration(
            model=policy,
            accelerator=accelerator,
            processing_class=tokenizer,
            temperature=how.temperature,
            top_p=how.top_p,
            top_k=0,
            max_completion_length=how.max_tokens,
            **options,
        )

    def sample(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        """One answer to each prompt, from the policy's weights as they are now."""
        self._bridge.sync_weights()
        _, answers, *_ = self._bridge.generate(
            prompts=[list(prompt) for prompt in prompts], images=None, num_generations=1
        )
        return [list(answer) for answer in answers]


def _options(vllm: VllmRolloutsConfig, longest: int) -> dict[str, Any]:
    if not _on_gpu():
        raise ConfigError(
            "generate.vllm needs a CUDA device, and here is none: on a CPU, vLLM packs its weights "
            "and can take no new ones. Leave the section out, and transformers samples."
        )
    if find_spec("vllm") is None:
        raise MissingExtraError("generate.vllm", "train,vllm")
    return {
        "mode": vllm.mode,
        "gpu_memory_utilization": vllm.gpu_memory,
        "tensor_parallel_size": vllm.tensor_parallel,
        "server_base_url": vllm.server_url,
        "max_model_length": longest,
    }


def _on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
