"""What is trained: one config per method, alike in all that the methods have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.errors import ConfigError, nearest
from cai.hashing import content_hash
from cai.train.data import load_data
from cai.train.examples import Demonstration, Preference, PromptExample
from cai.train.settings import TrainConfig
from cai.yaml import parse_model

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cai.train.data import Data
    from cai.train.settings import Method

__all__ = ["METHODS", "USUAL", "Arm", "Plan", "make_plan", "parse_methods"]

METHODS = ("sft", "rm", "dpo", "kto", "ppo", "grpo", "rloo")
USUAL = ("sft", "rm", "dpo", "ppo", "grpo")
"""Those that are compared when none are named."""

# The reward model comes first: it is the reward of the others.
_ARMS: dict[str, Method] = {
    "rm": "rm",
    "sft": "sft",
    "dpo": "dpo",
    "kto": "kto",
    "ppo-head": "ppo",
    "ppo-separate": "ppo",
    "grpo": "grpo",
    "rloo": "rloo",
}
_KINDS: dict[str, type[Any]] = {
    "sft": Demonstration,
    "rm": Preference,
    "dpo": Preference,
    "kto": Preference,
    "ppo": PromptExample,
    "grpo": PromptExample,
    "rloo": PromptExample,
}
_IN_GROUPS = ("grpo", "rloo")
_ONLINE = frozenset({"ppo", *_IN_GROUPS})
_USUAL_GROUP = 8


@dataclass(frozen=True, slots=True)
class Arm:
    """One training of the comparison.

    Args:
        name: of its row and its folder.
        method: as `cai train` knows it.
        config: of the training.
        key: hash of everything that its result depends on.
    """

    name: str
    method: Method
    config: TrainConfig
    key: str

    @property
    def online(self) -> bool:
        """Whether it samples answers and learns from their rewards."""
        return self.method in _ONLINE

    @property
    def examples(self) -> int:
        """Pairs, or answers, that are drawn at once and then learned from."""
        return self.config.ppo.rollouts if self.method == "ppo" else self.config.training.batch_size

    @property
    def steps(self) -> int:
        """Optimiser steps on what was drawn at once."""
        if self.method == "ppo":
            return self.config.ppo.epochs * self.config.ppo.minibatches
        return self.config.grpo.updates if self.method in _IN_GROUPS else 1

    @property
    def rows(self) -> int:
        """Rows that the log has of these steps: ppo writes one per set of answers."""
        return 1 if self.method == "ppo" else self.steps


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole comparison.

    Args:
        arms: trainings in their order.
        steps: optimiser steps of each.
        pairs: training pairs that there are.
        tested: pairs on which accuracy is measured, none of them trained on.
        tested_on: which those are, `held-out` or `dev`.
        data_hash: of the pairs.
    """

    arms: tuple[Arm, ...]
    steps: int
    pairs: int
    tested: int
    tested_on: str
    data_hash: str

    @property
    def reward(self) -> str | None:
        """Folder of the reward model; None when none is trained."""
        folders = [arm.config.output for arm in self.arms if arm.method == "rm"]
        return folders[0] if folders else None


def parse_methods(text: str) -> tuple[str, ...]:
    """Read names with commas between them.

    Raises:
        ConfigError: there are none, or one is unknown.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    allowed = f"Allowed: {', '.join(METHODS)}, with commas between them."
    if not names:
        raise ConfigError(f"--methods names no method. {allowed}")
    for name in names:
        if name not in METHODS:
            raise ConfigError(
                f"--methods: got '{name}', which cannot be compared. {allowed}"
                f"{nearest(name, METHODS)}"
            )
    return tuple(method for method in METHODS if method in names)


def make_plan(config: TrainConfig, methods: Iterable[str], steps: int | None, output: Path) -> Plan:
    """Read the data and lay down what is trained.

    Args:
        config: of all trainings; its `output`, `rewards` and `watch` are not used.
        methods: some of `METHODS`.
        steps: optimiser steps; those of the config, or one pass over the pairs, when absent.
        output: folder of the comparison.

    Raises:
        ConfigError: there are no pairs, or a setting does not fit.
        GateError: the AI labels may not be trained on.
    """
    wanted = set(methods)
    if wanted & _ONLINE:
        wanted.add("rm")
    if "rm" in wanted and config.rm.loss != "bradley-terry":
        raise ConfigError(
            f"rm.loss: {config.rm.loss} learns from no pairs, and all methods of a comparison do. "
            "Set rm.loss: bradley-terry, or leave rm, ppo, grpo and rloo out."
        )
    pairs = load_data(Preference, config)
    tested = pairs.held_out or pairs.dev
    if not tested:
        raise ConfigError(
            f"All {len(pairs.train)} pairs are trained on, and none is left to measure accuracy. "
            "Set data.dev_share or data.held_out_share above 0, or take a run with a dev split."
        )
    hashes = {kind: load_data(kind, config).hash for kind in {_KINDS[m] for m in wanted}}
    steps = steps or config.training.max_steps or _one_pass(config, pairs)
    data, reward_key = _shared(config, steps), ""
    arms: list[Arm] = []
    for name, method in _ARMS.items():
        if method in wanted:
            made = _config(data, name, method, output)
            arms.append(Arm(name, method, made, _key(method, made, hashes, reward_key)))
            reward_key = arms[-1].key if method == "rm" else reward_key
    for arm in arms:
        _check(arm)
    return Plan(
        arms=tuple(arms),
        steps=steps,
        pairs=len(pairs.train),
        tested=len(tested),
        tested_on="held-out" if pairs.held_out else "dev",
        data_hash=pairs.hash,
    )


def _one_pass(config: TrainConfig, pairs: Data[Preference]) -> int:
    examples = len(pairs.train) * config.training.epochs
    return max(2, math.ceil(examples / config.training.batch_size))


def _shared(config: TrainConfig, steps: int) -> dict[str, Any]:
    """What was set in the config, and what all trainings of the comparison have in common."""
    data = config.model_dump(mode="json", exclude_unset=True)
    data["training"] = {**data.get("training", {}), "max_steps": steps, "checkpoint_every": steps}
    # Alarms must not end one training before the others.
    return data | {"rewards": [], "watch": {"action": "report"}} | _sampling(config, data)


def _config(data: dict[str, Any], name: str, method: Method, output: Path) -> TrainConfig:
    own: dict[str, Any] = {"output": str(output / name)}
    if method == "ppo":
        own["ppo"] = {**data["ppo"], "critic": name.removeprefix("ppo-")}
    if method in _ONLINE:
        own["rewards"] = [{"kind": "model", "path": str(output / "rm")}]
    return parse_model(TrainConfig, data | own, f"the config of {name}")


def _check(arm: Arm) -> None:
    """What would otherwise come up when the trainings before it are done."""
    size, group = arm.config.training.batch_size, arm.config.grpo.group_size
    if arm.method in _IN_GROUPS and size % group:
        raise ConfigError(
            f"training.batch_size {size} must be a multiple of grpo.group_size {group}: "
            f"{arm.method} never cuts a group. Change one of the two, or leave {arm.method} out "
            "with --methods."
        )


def _key(method: Method, config: TrainConfig, hashes: dict[type[Any], str], reward_key: str) -> str:
    """Hash of all that a result depends on: where it lies, and what other methods do, is none."""
    own = "grpo" if method in _IN_GROUPS else method
    others = {"sft", "rm", "dpo", "kto", "ppo", "grpo"} - {own}
    asked = config.model_dump(mode="json", exclude={"output", "rewards", *others})
    return content_hash([method, asked, hashes[_KINDS[method]], reward_key * (method in _ONLINE)])


def _sampling(config: TrainConfig, data: dict[str, Any]) -> dict[str, Any]:
    """The sections `ppo` and `grpo`, with as many examples per optimiser step as the others.

    What the config says stays as it is.
    """
    size = config.training.batch_size
    ppo: dict[str, Any] = {"epochs": 1, "minibatches": 1, **data.get("ppo", {})}
    ppo.setdefault("rollouts", size * ppo["minibatches"])
    grpo: dict[str, Any] = {"group_size": _group(size), **data.get("grpo", {})}
    for one, other in ((ppo, grpo), (grpo, ppo)):
        if "generate" in other:
            one.setdefault("generate", other["generate"])
    return {"ppo": ppo, "grpo": grpo}


def _group(size: int) -> int:
    """The largest usual group that batches can be cut into; the whole batch where there is none."""
    return max((n for n in range(2, _USUAL_GROUP + 1) if size % n == 0), default=max(2, size))
