"""From the options that commands share to a config."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cai.config import Config

__all__ = ["load_settings"]


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
