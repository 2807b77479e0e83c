"""What a config asks, apart from how it is carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cai.config.schema import Config

__all__ = ["asked", "changed_keys"]


def asked(config: Config) -> dict[str, Any]:
    """The config without run-time keys, as `{dotted key: plain value}`.

    Two configs with equal results ask the same of the models.
    """
    return dict(_walk(config, ""))


def _walk(section: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, info in type(section).model_fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, dict) and extra.get("x-runtime"):
            continue
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _walk(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", list(value) if isinstance(value, tuple) else value


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The dotted keys whose values differ, sorted."""
    missing = object()
    return tuple(
        sorted(
            key
            for key in before.keys() | after.keys()
            if before.get(key, missing) != after.get(key, missing)
        )
    )
