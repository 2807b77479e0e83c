"""A trained model in place of the policy of a config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.config.models import ModelConfig

if TYPE_CHECKING:
    from pathlib import Path

    from cai.config.schema import Config

__all__ = ["with_policy"]


def with_policy(config: Config, folder: Path) -> Config:
    """The config with a trained model as its policy; who critiques and judges stays the same.

    Args:
        config: its policy says how the model is run; a model at a server gives way to one in this
            process.
        folder: what `cai train` wrote.
    """
    models, before = config.models, config.models.policy
    model = str(folder.absolute())
    if before.engine in ("transformers", "vllm"):
        # Training has folded adapters into the weights.
        vllm = before.vllm.model_copy(update={"adapter": None})
        change = {"model": model, "revision": None, "vllm": vllm}
        policy = before.model_copy(update=change)
    else:
        policy = ModelConfig(engine="transformers", model=model)
    kept = {"policy": policy, "critic": models.critic or before}
    return config.model_copy(update={"models": models.model_copy(update=kept)})
