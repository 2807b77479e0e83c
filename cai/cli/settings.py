"""From the options that commands share to a config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cai.config import Config

__all__ = ["load_settings", "overrides_of"]


def load_settings(
    config: Path,
    *,
    run: Path | None,
    prompts: Path | None,
    limit: int | None,
    budget_usd: float | None,
    budget_tokens: int | None,
    concurrency: int | None = None,
) -> Config:
    """The config with what the command line puts in place of its values; None leaves a value.

    Raises:
        ConfigError: the file cannot be read or does not fit the schema.
    """
    from cai.config import load_config

    path = None
    if prompts is not None:
        packaged = str(prompts) == "starter" and not prompts.exists()
        path = str(prompts if packaged else prompts.absolute())
    given = {
        "run": None if run is None else str(run),
        "prompts.path": path,
        "prompts.limit": limit,
        "runtime.concurrency": concurrency,
        "runtime.budget_usd": budget_usd,
        "runtime.budget_tokens": budget_tokens,
    }
    return load_config(config, {key: value for key, value in given.items() if value is not None})


def overrides_of(settings: Iterable[str]) -> dict[str, Any]:
    """What `--set KEY=VALUE` puts in place of a config's values, by dotted keys; values are YAML.

    Raises:
        ConfigError: one is not of that form.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from cai.errors import ConfigError

    found: dict[str, Any] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {text}: expected KEY=VALUE, such as dpo.beta=0.05.")
        try:
            found[key] = YAML(typ="safe", pure=True).load(value)
        except YAMLError as error:
            raise ConfigError(f"--set {text}: the value is no YAML. Quote it.") from error
    return found
