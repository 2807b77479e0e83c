"""Reading a config file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.config.overrides import override
from cai.config.schema import Config
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["load_config", "parse_config"]


def load_config(path: Path | str, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a config file; `overrides` maps dotted keys (`models.policy.engine`) to values.

    Paths inside the file (`prompts.path`, those in `prompts.mix`, `constitution`,
    `templates.folder`, and those in `pipeline`) that exist relative to the file are made absolute,
    so that the command can be started from anywhere.

    Raises:
        ConfigError: the file cannot be read or does not fit the schema.
    """
    path = Path(path)
    data = read_yaml(path)
    if isinstance(data, dict):
        override(data, overrides or {})
    config = parse_config(data, path)
    return _anchored(config, path.parent)


def parse_config(data: Any, where: str | Path = "config") -> Config:
    """Validate plain data as a config.

    Raises:
        ConfigError: it does not fit the schema.
    """
    return parse_model(Config, data, where)


def _anchored(config: Config, base: Path) -> Config:
    prompts, templates = config.prompts, config.templates
    return config.model_copy(
        update={
            "constitution": _anchor(config.constitution, base, _is_path(config.constitution)),
            "prompts": prompts.model_copy(
                update={
                    "path": _anchor(prompts.path, base, prompts.path != "starter"),
                    "mix": tuple(
                        one.model_copy(
                            update={"path": _anchor(one.path, base, one.path != "starter")}
                        )
                        for one in prompts.mix
                    ),
                }
            ),
            "templates": templates.model_copy(
                update={"folder": _anchor(templates.folder, base, is_path=True)}
            ),
            "pipeline": config.pipeline.anchored(base),
        }
    )


def _is_path(constitution: str) -> bool:
    return Path(constitution).suffix in (".yaml", ".yml") or "/" in constitution


def _anchor(value: str | None, base: Path, is_path: bool) -> str | None:
    """A path relative to the config, if there is such a file there.

    One that is nowhere is also anchored, so that the error names the place where it should be.
    """
    if value is None or not (is_path or (base / value).is_file()):
        return value
    if (base / value).exists() or not Path(value).exists():
        return str((base / value).resolve())
    return value
