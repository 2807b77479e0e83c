"""The comparison from a config to a folder: train, measure, check, report."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cai.config.identity import changed_keys
from cai.errors import ConfigError, TrainingError
from cai.hashing import content_hash
from cai.train.compare.claims import check_claims
from cai.train.compare.jobs import Done, Job, Records
from cai.train.compare.outcome import outcome_of
from cai.train.compare.own_process import in_own_process
from cai.train.compare.plan import USUAL, Plan, make_plan
from cai.train.compare.report import Comparison, notes_of, write_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cai.train.compare.jobs import Start
    from cai.train.compare.outcome import Outcome
    from cai.train.compare.plan import Arm
    from cai.train.settings import TrainConfig

__all__ = ["compare"]

_DOING = {
    "bare": "loading the model and no more",
    "train": "training",
    "untrained": "measuring the model before training",
    "measure": "measuring what came of it",
}


def compare(
    config: TrainConfig,
    *,
    methods: Iterable[str] = USUAL,
    steps: int | None = None,
    target: float = 0.6,
    output: Path | str = "models/bench",
    say: Callable[[str], None] | None = None,
    start: Start = in_own_process,
) -> Comparison:
    """Train with several methods on the same model and data, and compare cost and result.

    Writes `bench.json`, `bench.md` and a model for each method. What is finished there under the
    same config is not done again. To measure memory, this process must be smaller than those it
    starts: call it where torch was not imported.

    Args:
        config: of all trainings; its `output`, `rewards` and `watch` are not used.
        methods: some of `METHODS`; `ppo`, `grpo` and `rloo` bring `rm` along.
        steps: optimiser steps of each; those of the config, or one pass over the pairs, when
            absent.
        target: accuracy on dev pairs to be reached, between 0.5 and 1; for `ppo`, `grpo` and
            `rloo` the gain log(target / (1 − target)) of the reward.
        output: folder.
        say: is told what is being done.
        start: carries out a job.

    Raises:
        ConfigError: config and data cannot be compared on.
        GateError: the AI labels may not be trained on.
        TrainingError: a training failed, or would overwrite a model that is not of a comparison.
    """
    if not 0.5 < target < 1.0:
        raise ConfigError(
            f"The target {target:g} is no accuracy that can be reached by learning. Choose one "
            "between 0.5, which is chance, and 1."
        )
    plan = make_plan(config, methods, steps, Path(output))
    desk = _Desk(plan, Path(output), say or (lambda text: None), start)
    bare = desk.bare()
    outcomes = tuple(desk.carry_out(arm, bare, target) for arm in plan.arms)
    found = Comparison(
        config_hash=content_hash([arm.key for arm in plan.arms]),
        config=config.model_dump(mode="json"),
        steps=plan.steps,
        target=target,
        pairs=plan.pairs,
        tested=plan.tested,
        tested_on=plan.tested_on,
        machine=dict(bare.found),
        bare_mb=bare.peak_mb,
        **_versions(plan.arms[0]),
        outcomes=outcomes,
        claims=check_claims({outcome.name: outcome for outcome in outcomes}),
        notes=notes_of(plan, target, outcomes),
    )
    write_report(found, Path(output))
    return found


@dataclass
class _Desk:
    """Carries out jobs that are not done yet."""

    plan: Plan
    output: Path
    say: Callable[[str], None]
    start: Start

    def __post_init__(self) -> None:
        self._records = Records(self.output / "jobs")
        self._before: Done | None = None

    def bare(self) -> Done:
        """A process that only loads the model."""
        arm = self.plan.arms[0]
        model = arm.config.model.model_dump(mode="json")
        return self._do(Job("bare", "bare", content_hash(["bare", model]), _plain(arm)))

    def carry_out(self, arm: Arm, bare: Done, target: float) -> Outcome:
        """Train one arm, and measure what came of it."""
        key = content_hash(["train", arm.key])
        trained = self._do(Job(f"{arm.name}-train", "train", key, _plain(arm), arm.method), arm)
        if arm.method == "rm":
            return outcome_of(arm, bare, None, trained, None, target)
        before = self._untrained()
        after = self._do(self._look(f"{arm.name}-measure", "measure", arm))
        return outcome_of(arm, bare, before, trained, after, target)

    def _untrained(self) -> Done:
        """The model before any training, with the reward model that there is by now."""
        if self._before is None:
            self._before = self._do(self._look("untrained", "untrained", self.plan.arms[0]))
        return self._before

    def _look(self, name: str, kind: Any, arm: Arm) -> Job:
        judges = [one.key for one in self.plan.arms if one.method == "rm"]
        generate = arm.config.ppo.generate.model_dump(mode="json")
        key = content_hash([kind, arm.key, judges, self.plan.data_hash, generate])
        scratch = str(self._records.folder)
        return Job(name, kind, key, _plain(arm), reward=self.plan.reward, scratch=scratch)

    def _do(self, job: Job, arm: Arm | None = None) -> Done:
        done, config = self._records.find(job)
        folder = self.output / arm.name if arm else None
        if done is not None and (folder is None or (folder / "training.json").is_file()):
            self.say(f"{job.name}: done before")
            return done
        if config and done is None:
            changed = set(changed_keys(_flat(config), _flat(job.config))) - {"output", "rewards"}
            what = ", ".join(sorted(changed)) or "its data or its reward model"
            self.say(f"{job.name}: done again, because of a change in {what}")
        if folder is not None:
            self._clear(job, folder)
        self.say(f"{job.name}: {_DOING[job.kind]} …")
        path = self._records.begin(job)
        done = self.start(job, path, lambda text: self.say(f"{job.name}: {text}"))
        self._records.keep(job, done)
        return done

    def _clear(self, job: Job, folder: Path) -> None:
        """Delete what an interrupted or an outdated training left; nothing of anybody else's."""
        if folder.exists() and not self._records.begun(job.name):
            raise TrainingError(
                f"{folder} was not made by a comparison, and would be overwritten. Choose another "
                "folder with --output, or move it away."
            )
        shutil.rmtree(folder, ignore_errors=True)


def _plain(arm: Arm) -> dict[str, Any]:
    return arm.config.model_dump(mode="json")


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A config by dotted keys."""
    found: dict[str, Any] = {}
    for name, part in value.items():
        if isinstance(part, dict):
            found |= _flat(part, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = part
    return found


def _versions(arm: Arm) -> dict[str, Any]:
    """Of the packages and the toolkit, as a training has written them down."""
    record = orjson.loads((Path(arm.config.output or "") / "training.json").read_bytes())
    return {"versions": record["versions"], "commit": record["commit"]}
