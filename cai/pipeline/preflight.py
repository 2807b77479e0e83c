"""What can be known to fail before a model is asked: settings, names, packages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cai.engines.embedded import EMBEDDED_MODEL
from cai.engines.inprocess.identity import locate
from cai.errors import ConfigError, MissingExtraError, nearest
from cai.pipeline.evaluating import evaluated, evaluations, subjects
from cai.pipeline.rewards import rewards_of
from cai.pipeline.stages import OWN, made_names
from cai.pipeline.training import training_config
from cai.quality import known_checks
from cai.train.check import check_online

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.pipeline.desk import Desk
    from cai.pipeline.stages import Stage
    from cai.train.settings import TrainConfig

__all__ = ["preflight"]

_ONLINE = ("ppo", "grpo", "rloo")


def preflight(desk: Desk, stages: Sequence[Stage]) -> None:
    """Read all settings of a pipeline as if it were carried out.

    Raises:
        ConfigError: a setting does not fit, or a name means nothing.
        FatalEngineError: a model that is trained is not there.
        MissingExtraError: packages are missing.
    """
    known = known_checks()
    for name in desk.config.pipeline.check.fail_on:
        if name not in known:
            raise ConfigError(
                f"pipeline.check.fail_on: there is no check '{name}'. Allowed: {', '.join(known)}."
                f"{nearest(name, known)}"
            )
    for path in desk.config.pipeline.check.against:
        if not Path(path).is_file():
            raise ConfigError(f"pipeline.check.against: no such file: {path}. Check the path.")
    trainings = [one for one in stages if one.training is not None]
    for stage in trainings:
        _check_training(desk, stage)
    if trainings and (find_spec("torch") is None or find_spec("accelerate") is None):
        raise MissingExtraError("pipeline.train", "train")
    _check_evaluations(desk)


def _check_evaluations(desk: Desk) -> None:
    subjects(desk)
    for name, (evaluation, settings) in evaluations(desk).items():
        evaluation.read(settings)
        models = [one.name for one in evaluated(desk, evaluation)]
        if len(models) >= evaluation.fewest:
            continue
        if evaluation.of == "reward models":
            raise ConfigError(
                f"pipeline.evaluate.{name} is about reward models, and none is trained. Add a "
                "training with method: rm, or set it to null."
            )
        raise ConfigError(
            f"pipeline.evaluate.{name} needs {evaluation.fewest} models, and there is only "
            f"{models[0]}. Add a training, or set it to null."
        )


def _check_training(desk: Desk, stage: Stage) -> None:
    training = stage.training
    assert training is not None
    names = [one.name for one in desk.config.pipeline.train]
    earlier = names[: names.index(training.name)]
    for name in made_names(training.settings):
        if name not in (*OWN, *earlier):
            allowed = ", ".join(f"made:{one}" for one in (*OWN, *earlier))
            raise ConfigError(
                f"pipeline.train.{training.name}: made:{name} means no earlier training. Allowed: "
                f"{allowed}.{nearest(name, earlier)}"
            )
    config = training_config(desk, training, stage.round)
    if training.method in _ONLINE:
        _check_online(desk, stage, config)
    made = Path(config.model.name).is_relative_to(desk.folder.absolute())
    if not made and config.model.name != EMBEDDED_MODEL:
        locate(config.model.name)


def _check_online(desk: Desk, stage: Stage, config: TrainConfig) -> None:
    training = stage.training
    assert training is not None
    where = f"pipeline.train.{training.name}"
    try:
        check_online(training.method, config)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    for reward in rewards_of(config):
        own = reward.config == str(desk.own_config(stage.round))
        if reward.config is not None and not own and not Path(reward.config).is_file():
            raise ConfigError(
                f"{where}: a reward asks the judge of {reward.config}, and there is no such file. "
                "Name a config relative to this one, or made:config for this one."
            )
