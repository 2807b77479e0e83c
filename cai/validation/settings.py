"""What a run says about its validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.config import ValidationConfig
from cai.errors import ConfigError
from cai.yaml import parse_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.store import RunStore

__all__ = ["settings_of"]


def settings_of(store: RunStore, overrides: Mapping[str, Any] | None = None) -> ValidationConfig:
    """The section `validation` of the config that a run was made with.

    Args:
        store: the run; those of earlier versions have no such section.
        overrides: values in its place, by dotted keys such as `gate.min_alpha`.

    Raises:
        ConfigError: a value does not fit.
    """
    stored: dict[str, Any] = (store.meta("config") or {}).get("validation") or {}
    for dotted, value in (overrides or {}).items():
        section, _, leaf = dotted.rpartition(".")
        place = stored if not section else stored.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"{dotted}: '{section}' is a value, and has no keys of its own.")
        place[leaf] = value
    return parse_model(ValidationConfig, stored, f"validation in {store.folder}")
