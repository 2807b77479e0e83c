"""Whether a model was trained on the very reward that now judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["trained_on"]

_FACTS = "training.json"
_MOST_STEPS_BACK = 16


def trained_on(model: str, reward_model: Path) -> bool:
    """Whether a model, or one that its training began with, learned from this reward model.

    Such a policy is rewarded for what the reward model has wrong, too, so its reward says how far
    it was optimised and not what people prefer (Gao et al. 2023, arXiv:2210.10760).

    Args:
        model: folder of a training, or any other name of a model, which has learned from none.
        reward_model: folder of the reward model.
    """
    target = reward_model.resolve()
    return any(path.resolve() == target for path in _rewards(model, _MOST_STEPS_BACK))


def _rewards(model: str, steps: int) -> Iterator[Path]:
    """The folders of reward models in the history of a model, as its facts name them."""
    from pathlib import Path

    folder = Path(model)
    facts = folder / _FACTS
    if not steps or not facts.is_file():
        return
    config: dict[str, Any] = orjson.loads(facts.read_bytes()).get("config") or {}
    for reward in config.get("rewards") or ():
        if reward.get("kind") == "model" and reward.get("path"):
            yield Path(reward["path"])
    began_with = (config.get("model") or {}).get("name")
    if began_with:
        yield from _rewards(began_with, steps - 1)
