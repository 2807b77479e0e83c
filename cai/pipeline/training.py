"""The stage `train`: one training, in a process of its own, resumed from its last checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cai.errors import TrainingError
from cai.hashing import content_hash
from cai.pipeline.identity import path_identity
from cai.pipeline.rewards import (
    asked_before,
    asked_so_far,
    judges,
    rewards_of,
    write_own_config,
)
from cai.pipeline.stages import Done
from cai.train.checkpoints import has_checkpoint
from cai.train.compare.jobs import Job, Records
from cai.train.compare.own_process import in_own_process
from cai.train.data import kind_of, load_data
from cai.train.load import make_training
from cai.wording import counted, listed

if TYPE_CHECKING:
    from cai.config.pipeline import TrainingConfig
    from cai.pipeline.desk import Desk
    from cai.pipeline.stages import Begun, Stage
    from cai.train.settings import TrainConfig

__all__ = ["carry_out", "inputs", "training_config"]

_LAST_FILE = "curves.png"
"""What a training writes at its very end."""

_PATHS = frozenset({"path", "reference", "critic_model"})
"""Settings that name a model or a file, which count by their content."""


def training_config(desk: Desk, training: TrainingConfig, number: int) -> TrainConfig:
    """The config of a training in a round, as `cai train` would take it.

    Raises:
        ConfigError: the settings do not fit, or nothing says what is trained.
    """
    settings = {
        key: desk.made(value, number)
        for key, value in training.settings.items()
        if key != "model.name"
    }
    name = desk.starts_from(training, number)
    base: dict[str, Any] = {
        "data": [{"run": str(desk.run(number).absolute())}],
        "output": str(desk.model(training.name, number).absolute()),
        "gate": "require" if desk.config.pipeline.validation == "required" else "report",
        "model": {"name": name},
    }
    policy = desk.config.models.policy
    if name == policy.model and policy.revision:
        base["model"]["revision"] = policy.revision
    return make_training(base, settings, f"pipeline.train.{training.name}")


def inputs(desk: Desk, stage: Stage) -> dict[str, str]:
    """Hashes of the data, the settings, and the models that a training begins with or asks.

    Raises:
        ConfigError: the settings do not fit, or there is nothing to learn from.
        GateError: the labels may not be trained on.
    """
    assert stage.training is not None
    training = stage.training
    config = training_config(desk, training, stage.round)
    data = load_data(kind_of(training.method, config), config)
    # A key that a newer toolkit has added, at its default, must not train anything again.
    plain = config.model_dump(
        mode="json",
        exclude={"output": True, "gate": True, "data": True, "model": {"name"}},
        exclude_defaults=True,
    )
    weights = [source.model_dump(mode="json", exclude={"run", "file"}) for source in config.data]
    return {
        "data": content_hash([data.hash, weights, data.label_noise]),
        "settings": content_hash([training.method, _by_content(plain)]),
        "model": path_identity(config.model.name),
        "judges": content_hash(judges(desk, config, stage.round)),
    }


def carry_out(desk: Desk, stage: Stage, begun: Begun) -> Done:
    """Train, or go on with a training that was interrupted with the same inputs.

    Raises:
        TrainingError: the training failed, or would overwrite what is not the pipeline's.
    """
    assert stage.training is not None
    training = stage.training
    config = training_config(desk, training, stage.round)
    folder, records = Path(config.output or ""), Records(desk.run(stage.round) / "pipeline")
    finished = begun.again and _is_finished(folder)
    resume = begun.again and has_checkpoint(folder)
    kept = records.folder / "before" / training.name
    if not (finished or resume) and _set_aside(folder, kept, records, training.name):
        desk.watcher.say(f"The model before it is kept in {kept} until this one is done.")
    if any(one.config == str(desk.own_config(stage.round)) for one in rewards_of(config)):
        write_own_config(desk, stage.round)
    noted = records.folder / f"{training.name}.asked.json"
    before = asked_before(config, noted, again=begun.again)
    if not finished:
        job = Job(
            training.name,
            "train",
            content_hash(begun.parts),
            config.model_dump(mode="json"),
            training.method,
            resume=resume,
        )
        in_own_process(job, records.begin(job), desk.watcher.say)
    shutil.rmtree(kept, ignore_errors=True)
    calls, usd = asked_so_far(config)
    return Done(
        (*sorted(folder.glob("*.safetensors")), folder / "training.json"),
        calls - before[0],
        None if usd is None or before[1] is None else usd - before[1],
        _said(folder),
    )


def _said(folder: Path) -> str:
    """Steps, and how the model does on dev."""
    record = orjson.loads((folder / "training.json").read_bytes())
    dev = record["results"].get("dev", {})
    shown = [f"{n} {dev[n]:.3g}" for n in ("accuracy", "loss", "reward_last_tenth") if n in dev]
    steps = counted(record["steps"], "step")
    return f"{steps}; on dev {listed(shown)}" if shown else steps


def _is_finished(folder: Path) -> bool:
    """Whether a training has come to its end, and only nobody took note of it."""
    return (folder / "training.json").is_file() and (folder / _LAST_FILE).is_file()


def _set_aside(folder: Path, kept: Path, records: Records, name: str) -> bool:
    """Make room for a training, and say whether there was a finished one, which is kept.

    What an interrupted one left is deleted; nothing of anybody else's is.
    """
    if folder.exists() and not records.begun(name):
        raise TrainingError(
            f"{folder} was not made by this pipeline, and would be overwritten. Choose another "
            "name for the training, or move the folder away."
        )
    if not _is_finished(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return False
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(kept)
    return True


def _by_content(value: Any, key: str = "") -> Any:
    """Plain data with what lies at a path in place of the path; configs of judges count apart."""
    if isinstance(value, dict):
        return {name: _by_content(one, name) for name, one in value.items() if name != "config"}
    if isinstance(value, list):
        return [_by_content(one, key) for one in value]
    return path_identity(value) if key in _PATHS and value else value
