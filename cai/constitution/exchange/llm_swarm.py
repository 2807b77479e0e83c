"""The layout of llm-swarm's Constitutional AI recipe.

`{"constitutions": [{"critic", "revision"}], "system_chat": [[{"role", "content"}]]}`. `critic` is
`critique` and `revision` is `revise`. The chats go before every conversation as few-shot examples;
a constitution has no place for them, so they are kept in a file beside it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cai.constitution.exchange.chats import read_chat
from cai.constitution.exchange.draft import Draft, Entry, Unknown, Written
from cai.constitution.exchange.source import broken, json_value, kind_of, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.exchange.draft import Beside
    from cai.constitution.exchange.source import Source
    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle

__all__ = ["SHAPE", "fits", "read", "write"]

SHAPE = '{"constitutions": [{"critic": "...", "revision": "..."}], "system_chat": [...]}'

_KEYS = ("critic", "revision")


def fits(value: Any) -> bool:
    """Whether a JSON value looks like this layout."""
    return isinstance(value, dict) and "constitutions" in value


def read(source: Source) -> Draft:
    """Read principles and chats.

    Raises:
        InputError: the file does not fit the layout.
    """
    value = json_value(source)
    items = value.get("constitutions") if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise broken(source, "the file", kind_of(value), SHAPE, "Choose another --format.")
    unknown = Unknown()
    unknown.note(value, ("constitutions", "system_chat"))
    entries = tuple(
        _entry(source, f"constitutions[{i}]", one, unknown) for i, one in enumerate(items)
    )
    chats = value.get("system_chat") or []
    if not isinstance(chats, list):
        raise broken(source, "'system_chat'", kind_of(chats), "a list of chats")
    read_chats = (
        read_chat(source, f"system_chat[{i}]", chat, unknown) for i, chat in enumerate(chats)
    )
    return Draft(entries, tuple(read_chats), unknown.warnings())


def _entry(source: Source, where: str, one: Any, unknown: Unknown) -> Entry:
    said = (
        {key: one[key] for key in _KEYS if one.get(key) is not None}
        if isinstance(one, dict)
        else {}
    )
    if not said:
        raise broken(
            source, where, kind_of(one), "an object with 'critic' and 'revision'", "Fill them."
        )
    unknown.note(one, _KEYS)
    worded = {key: wording(source, f"{where}.{key}", text) for key, text in said.items()}
    return Entry(where, critique=worded.get("critic", ""), revise=worded.get("revision", ""))


def write(principles: Sequence[Principle], beside: Beside, _whole: Constitution) -> Written:
    """Write the principles that have both requests, and the chats."""
    kept = tuple(p for p in principles if p.critique and p.revise)
    data = {
        "constitutions": [{"critic": p.critique, "revision": p.revise} for p in kept],
        "system_chat": [
            [{"role": role, "content": content} for role, content in chat] for chat in beside.chats
        ],
    }
    text = json.dumps(data, ensure_ascii=False, indent=2)
    if beside.chats:
        return Written(text, kept)
    advice = "There are no few-shot chats ('system_chat' is empty); --chats FILE puts some in."
    return Written(text, kept, (advice,))
