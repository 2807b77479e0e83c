r"""The layout of the Constitutional AI paper's repository, which NeMo-Aligner reads, too.

`{"harmful0": {"prompt": ["\n\nCritiqueRequest: ...\n\nCritique:"], "edit_request":
"\n\nRevisionRequest: ...\n\nRevision:"}, ...}`: what is between the frames is `critique` and
`revise`, and the key is the id (Constitutional AI, arXiv 2212.08073, App. C.1).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cai.constitution.exchange.draft import Draft, Entry, Unknown, Written
from cai.constitution.exchange.source import LONGEST, broken, json_value, kind_of, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.exchange.draft import Beside
    from cai.constitution.exchange.source import Source
    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle

__all__ = ["SHAPE", "fits", "read", "write"]

SHAPE = 'an object of {"prompt": ["\\n\\nCritiqueRequest: ..."], "edit_request": "..."} by name'
_KEYS = ("prompt", "edit_request")
_CRITIQUE = "\n\nCritiqueRequest: {}\n\nCritique:"
_REVISION = "\n\nRevisionRequest: {}\n\nRevision:"


def fits(value: Any) -> bool:
    """Whether a JSON value looks like this layout."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(one, dict) and "edit_request" in one for one in value.values())
    )


def read(source: Source) -> Draft:
    """Read the principles; of several critique requests under a key, each becomes one.

    Raises:
        InputError: the file does not fit the layout.
    """
    value = json_value(source)
    if not isinstance(value, dict):
        raise broken(source, "the file", kind_of(value), SHAPE, "Choose another --format.")
    entries: list[Entry] = []
    unknown = Unknown()
    for key, one in value.items():
        if not isinstance(one, dict) or not all(known in one for known in _KEYS):
            raise broken(
                source,
                repr(key[:80]),
                kind_of(one),
                "an object with 'prompt' and 'edit_request'",
                "Add what is missing, or choose another --format.",
            )
        unknown.note(one, _KEYS)
        entries += _entries(source, key, one)
    return Draft(tuple(entries), warnings=unknown.warnings())


def _entries(source: Source, key: str, one: dict[str, Any]) -> list[Entry]:
    prompts = one["prompt"] if isinstance(one["prompt"], list) else [one["prompt"]]
    if not prompts:
        raise broken(source, f"'{key[:80]}.prompt'", "an empty list", "at least one text")
    revise = _unframed(source, f"'{key[:80]}.edit_request'", one["edit_request"], "Revision")
    entries = []
    for number, prompt in enumerate(prompts, 1):
        critique = _unframed(source, f"'{key[:80]}.prompt'", prompt, "Critique")
        name = key if number == 1 else f"{key}-{number}"
        entries.append(Entry(repr(key[:80]), critique=critique, revise=revise, key=name))
    return entries


def _unframed(source: Source, where: str, value: Any, what: str) -> str:
    framed = wording(source, where, value, longest=LONGEST + len(_REVISION))
    return wording(source, where, framed.removeprefix(f"{what}Request:").removesuffix(f"{what}:"))


def write(principles: Sequence[Principle], _beside: Beside, _whole: Constitution) -> Written:
    """Write the principles that have both requests; others have no place in this layout."""
    kept = tuple(p for p in principles if p.critique and p.revise)
    data = {
        p.id: {
            "prompt": [_CRITIQUE.format(p.critique)],
            "edit_request": _REVISION.format(p.revise),
        }
        for p in kept
    }
    return Written(json.dumps(data, ensure_ascii=False), kept)
