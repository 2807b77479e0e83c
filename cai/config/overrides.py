"""Values in place of those of a config file, by dotted keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["override"]


def override(data: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    """Put values into plain data, as it was read from a file.

    `models.policy.engine` is a key in sections, which are made where they are missing. Entries of
    lists go by position or by their name, if they have one: `prompts.mix.0.share`,
    `pipeline.train.dpo.method`. A key with dots in it, such as `dpo.beta` in the settings of a
    training, is found whole where it is there.

    Args:
        data: is changed.
        overrides: values by dotted key.

    Raises:
        ConfigError: a key leads through a value that has no keys, or names no entry of a list.
    """
    for dotted, value in overrides.items():
        _put(data, dotted, dotted, value)


def _put(place: Any, rest: str, dotted: str, value: Any) -> None:
    part, dot, after = rest.partition(".")
    if isinstance(place, list):
        at = _position(place, part, dotted)
        if dot:
            _put(place[at], after, dotted, value)
        else:
            place[at] = value
    elif not isinstance(place, dict):
        raise ConfigError(
            f"{dotted}: what lies before '{rest}' is {place!r:.40}, a value without keys of its "
            "own. Set that whole value, or correct the key."
        )
    elif rest in place or not dot:
        place[rest] = value
    else:
        # An empty section is as good as a missing one.
        if place.get(part) is None:
            place[part] = {}
        _put(place[part], after, dotted, value)


def _position(entries: list[Any], part: str, dotted: str) -> int:
    names = [one.get("name") if isinstance(one, dict) else None for one in entries]
    if part in names:
        return names.index(part)
    if part.isdecimal() and int(part) < len(entries):
        return int(part)
    known = ", ".join(str(name or at) for at, name in enumerate(names)) or "none, it is empty"
    raise ConfigError(f"{dotted}: the list has no entry '{part}'. It has: {known}.")
