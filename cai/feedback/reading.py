"""Lines of a file of feedback, each one a row or one clear error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from cai.errors import InputError, nearest
from cai.feedback.forms import FORMS
from cai.intake.lines import decoded, numbered_bytes
from cai.intake.rows import broken
from cai.yaml import parse_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cai.feedback.forms import FeedbackRow
    from cai.feedback.salt import Salt
    from cai.intake.rows import Place

__all__ = ["Bad", "read_lines"]

_LONGEST = 200
"""Most characters of a name of a user or a session."""
_SHOWN = 400
"""Most characters of an error that is kept."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that is no row of feedback, and why."""

    line: int
    error: str


def read_lines(path: Path, salt: Salt) -> Iterator[tuple[int, FeedbackRow | Bad]]:
    """Yield every line that is not blank, with its number from 1.

    Names of users and sessions are hashed first, and no error repeats them. Memory: the longest
    line.

    Args:
        path: JSONL, plain or gzip.
        salt: hashes names.

    Raises:
        InputError: the file as a whole cannot be read.
    """
    for number, line in numbered_bytes(path):
        if not line.strip():
            continue
        try:
            yield number, _row(line, (path, number), salt)
        except InputError as error:
            told = " ".join(str(error).split())
            yield number, Bad(number, told if len(told) <= _SHOWN else f"{told[: _SHOWN - 1]}…")


def _row(line: bytes, place: Place, salt: Salt) -> FeedbackRow:
    path, number = place
    data = _object(decoded(line, path, number), place)
    kind = data.get("kind")
    form = FORMS.get(kind) if isinstance(kind, str) else None
    if form is None:
        got = f"kind '{kind:.40}'" if isinstance(kind, str) else "a row without a 'kind' in words"
        hint = nearest(kind, FORMS) if isinstance(kind, str) else ""
        raise broken(place, got, ", ".join(FORMS), f"Name what was given under 'kind'.{hint}")
    named = {what: _hashed(data, what, place, salt) for what in ("user", "session")}
    return parse_model(form, {**data, **named}, f"{path}:{number}", InputError)


def _object(line: str, place: Place) -> Mapping[str, Any]:
    """The line as an object. Errors show nothing of it, since names stand in it as they are."""
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise broken(
            place,
            f"a line that is no JSON ({error.msg} at column {error.colno})",
            "one whole JSON object per line",
            "Mend the line.",
        ) from error
    if not isinstance(data, dict):
        raise broken(
            place,
            f"JSON that is no object ({type(data).__name__})",
            "one JSON object per line, {...}",
            "Write each row as an object on its own line, without a list around them.",
        )
    return data


def _hashed(data: Mapping[str, Any], what: str, place: Place, salt: Salt) -> str:
    name = data.get(what)
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST:
        got = "nothing" if name is None else f"a value of type {type(name).__name__}"
        if isinstance(name, str):
            got = f"a text of {len(name):,} characters" if name.strip() else "an empty text"
        raise broken(
            place,
            f"{got} under '{what}'",
            f"a name or a number of 1 to {_LONGEST} characters",
            f"Say which {what} it was; only a salted hash of it is kept.",
        )
    return salt.hashed(what, name)
