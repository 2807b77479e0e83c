"""Reading the config of a training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.errors import ConfigError
from cai.train.settings import TrainConfig
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["load_training", "make_training"]


def load_training(path: Path | str, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read a config file, or take a run's folder for the only source of data.

    Args:
        path: a YAML file, or the folder of a run.
        overrides: values by dotted keys, such as `training.max_steps`.

    Raises:
        ConfigError: there is no such file or run, or the config does not fit the schema.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "run.db").is_file():
            raise ConfigError(
                f"{path} is a folder without a run (run.db). Name the folder of a run that "
                "`cai generate` made, or a YAML file with the config of the training."
            )
        data: Any = {"data": [{"run": str(path)}]}
    else:
        data = read_yaml(path)
        if isinstance(data, dict):
            _anchor(data, path.parent)
    return make_training(data, overrides or {}, path)


def make_training(data: Any, settings: Mapping[str, Any], where: str | Path) -> TrainConfig:
    """A config from plain data and values by dotted keys, such as `training.max_steps`.

    Args:
        data: is changed.
        settings: in place of what is there.
        where: what errors call it.

    Raises:
        ConfigError: the config does not fit the schema.
    """
    if isinstance(data, dict):
        for dotted, value in settings.items():
            _set(data, dotted, value)
    return parse_model(TrainConfig, data, where)


def _anchor(data: dict[str, Any], base: Path) -> None:
    """Make paths of sources that exist relative to the file absolute."""
    sources = data.get("data")
    for source in sources if isinstance(sources, list) else ():
        for key in ("run", "file"):
            value = source.get(key) if isinstance(source, dict) else None
            if isinstance(value, str) and (base / value).exists():
                source[key] = str((base / value).resolve())


def _set(data: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, leaf = dotted.split(".")
    for part in parents:
        if data.get(part) is None:
            data[part] = {}
        data = data[part]
        if not isinstance(data, dict):
            raise ConfigError(f"{dotted}: '{part}' is no section. Allowed: keys of the config.")
    data[leaf] = value
