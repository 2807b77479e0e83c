"""What a config asks, apart from how it is carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["asked", "changed_keys"]


def asked(config: BaseModel) -> dict[str, Any]:
    """A config, or a section of it, without run-time keys, as `{dotted key: plain value}`.

    Keys that were added later are left out at their defaults. Two configs with equal results ask
    the same of the models.
    """
    return dict(_walk(config, ""))


def _walk(section: BaseModel, prefix: str, added: bool = False) -> Iterator[tuple[str, Any]]:
    for name, info in type(section).model_fields.items():
        marks = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        if marks.get("x-runtime"):
            continue
        value = getattr(section, name)
        later = added or bool(marks.get("x-added"))
        if later and value == info.default:
            continue
        if isinstance(value, BaseModel):
            # A whole section that was added counts key by key; a model that is named counts whole.
            yield from _walk(value, f"{prefix}{name}.", later and info.default is not None)
        else:
            yield f"{prefix}{name}", _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(_walk(value, "")) if isinstance(value, BaseModel) else value


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
