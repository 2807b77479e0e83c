"""From one row of plain data to a `Prompt`, or one error that says where and why not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from cai.errors import InputError, nearest
from cai.records import Message, Prompt, Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Place", "broken", "prompt_of_row", "prompt_of_text"]

Place = tuple["Path", int]
"""A file and the number of a line (or row) in it, from 1."""

_ROLES: tuple[Role, ...] = get_args(Role)
_SURROGATE = re.compile("[\ud800-\udfff]")


def broken(place: Place, got: str, allowed: str, fix: str) -> InputError:
    """The error about one row: where, what was got, what is allowed, how to fix it."""
    path, number = place
    return InputError(f"{path}:{number}: got {got}. Allowed: {allowed}. {fix}")


def prompt_of_row(row: Mapping[str, Any], place: Place) -> Prompt:
    """Read `prompt` (a text or a list of messages) or `messages`, and `tags`.

    `prompt` comes first where a row has both: `messages` often holds the answer as well. Other
    keys are ignored. Texts are kept as they are, blanks included.

    Raises:
        InputError: the row is no conversation that ends with a user turn.
    """
    for key in ("prompt", "messages"):
        value = row.get(key)
        if value is None:
            continue
        tags = _tags(row.get("tags"), place)
        if isinstance(value, list):
            return Prompt(_messages(value, key, place), tags, _source(place))
        if key == "prompt":
            return prompt_of_text(value, place, tags)
        raise broken(
            place,
            f"'messages' of type {_kind(value)}",
            "a list of {role, content}",
            "Put a single text under 'prompt' instead.",
        )
    raise broken(
        place,
        f"a row with {_keys(row)}",
        "'prompt' (a text or a list of messages) or 'messages' (a list of {role, content})",
        "Rename the key that holds the prompt.",
    )


def prompt_of_text(text: Any, place: Place, tags: tuple[str, ...] = ()) -> Prompt:
    """Make a conversation of one user turn.

    Raises:
        InputError: it is no text, blank, or not valid Unicode.
    """
    return Prompt(
        (Message("user", _content(text, "'prompt'", place)),),
        tags,
        _source(place),
    )


def _source(place: Place) -> str:
    path, number = place
    return f"{path.name}:{number}"


def _messages(items: list[Any], key: str, place: Place) -> tuple[Message, ...]:
    messages = tuple(_message(item, f"{key}[{i}]", place) for i, item in enumerate(items))
    for i, message in enumerate(messages):
        if message.role == "system" and i > 0:
            raise broken(
                place,
                f"a system turn at '{key}[{i}]'",
                "a system turn only as the first message",
                "Move it to the front or make it a user turn.",
            )
    if not messages or messages[-1].role != "user":
        last = f"a last turn of '{messages[-1].role}'" if messages else "no message"
        raise broken(
            place,
            f"{last} in '{key}'",
            "a conversation that ends with a user turn and waits for an answer",
            "Remove the turns after the last user turn, or add a user turn.",
        )
    return messages


def _message(item: Any, name: str, place: Place) -> Message:
    if not isinstance(item, dict) or not {"role", "content"} <= item.keys():
        got = _keys(item) if isinstance(item, dict) else f"type {_kind(item)}"
        raise broken(
            place,
            f"'{name}' with {got}" if isinstance(item, dict) else f"'{name}' of {got}",
            "an object with 'role' and 'content'",
            "Rename or add the keys.",
        )
    role = item["role"]
    if role not in _ROLES:
        hint = nearest(role, _ROLES) if isinstance(role, str) else ""
        raise broken(
            place,
            f"the role {_shown(role)} in '{name}'",
            ", ".join(f"'{known}'" for known in _ROLES),
            f"Map the role to one of these.{hint}",
        )
    return Message(role, _content(item["content"], f"'{name}.content'", place))


def _content(text: Any, name: str, place: Place) -> str:
    if not isinstance(text, str):
        raise broken(
            place, f"{name} of type {_kind(text)}", "a text", "Write the text itself, in quotes."
        )
    if not text.strip():
        raise broken(place, f"{name} that is empty", "a text with words", "Fill it or drop it.")
    if found := _SURROGATE.search(text):
        raise broken(
            place,
            f"half of a surrogate pair, \\u{ord(found.group()):04x}, in {name}",
            "valid Unicode",
            "Write the whole character, or remove the half.",
        )
    return text


def _tags(value: Any, place: Place) -> tuple[str, ...]:
    if value is None:
        return ()
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise broken(
            place,
            f"'tags' of {_shown(value)}",
            "a list of texts, or one text with commas between the tags",
            "Write for example: ['harm', 'medical'].",
        )
    tags = dict.fromkeys(item.strip() for item in items)
    return tuple(_content(tag, "'tags'", place) for tag in tags if tag)


def _kind(value: Any) -> str:
    names = {type(None): "null", dict: "object", bool: "boolean", str: "text"}
    return names.get(type(value), "number" if isinstance(value, int | float) else "list")


def _keys(row: Mapping[str, Any]) -> str:
    """The keys of a row, for a message; a long list is cut."""
    keys = [str(key) for key in row]
    if not keys:
        return "no keys"
    more = f" and {len(keys) - 12} more" if len(keys) > 12 else ""
    return "the keys " + ", ".join(f"'{key:.40}'" for key in keys[:12]) + more


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
