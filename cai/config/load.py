"""Reading a config file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.config.schema import Config
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["load_config", "parse_config"]


def load_config(path: Path | str, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a config file; `overrides` maps dotted keys (`models.policy.engine`) to values.

    Paths inside the file (`prompts.path`, `constitution`, `templates.folder`) that exist relative
    to the file are made absolute, so that the command can be started from anywhere.

    Raises:
        ConfigError: the file cannot be read or does not fit the schema.
    """
    path = Path(path)
    data = read_yaml(path)
    config = parse_config(_overridden(data, overrides or {}), str(path))
    return _anchored(config, path.parent)


def parse_config(data: Any, where: str = "config") -> Config:
    """Validate plain data as a config.

    Raises:
        ConfigError: it does not fit the schema.
    """
    return parse_model(Config, data, where)


def _overridden(data: Any, overrides: Mapping[str, Any]) -> Any:
    if not isinstance(data, dict):
        return data
    for dotted, value in overrides.items():
        *parents, leaf = dotted.split(".")
        target = data
        for part in parents:
            target = target.setdefault(part, {})
        target[leaf] = value
    return data


def _anchored(config: Config, base: Path) -> Config:
    def anchor(value: str | None) -> str | None:
        if value is None or not (base / value).exists():
            return value
        return str((base / value).resolve())

    return config.model_copy(
        update={
            "constitution": anchor(config.constitution),
            "prompts": config.prompts.model_copy(update={"path": anchor(config.prompts.path)}),
            "templates": config.templates.model_copy(
                update={"folder": anchor(config.templates.folder)}
            ),
        }
    )
