"""Foreign files: read within limits, and parsed with errors that say where."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "LONGEST",
    "Source",
    "broken",
    "json_lines",
    "json_value",
    "kind_of",
    "read_source",
    "wording",
]

_MOST_BYTES = 100_000_000
"""An ICAI file holds all comparisons, too; constitutions themselves are far smaller."""
LONGEST = 2000
"""Characters of a wording, as in `cai.constitution.Principle`."""
_BOM = "\ufeff"
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Source:
    """A foreign file: its name without folders, its text, and the SHA-256 of its bytes."""

    name: str
    text: str
    sha256: str = ""


def read_source(path: Path) -> Source:
    """Read a text file.

    Raises:
        InputError: there is no such file, it is too large, or it is not UTF-8 text.
    """
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no file"
        raise InputError(f"{path} is {what}. Name a file to import.")
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InputError(
                f"{path}: got {size:,} bytes. Allowed: at most {_MOST_BYTES:,}. "
                "A constitution is far smaller; name the file of its principles alone."
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}. Check its permissions.") from error
    # A file name is untrusted, too, and goes into messages and into the constitution.
    name = "".join(c if c.isprintable() else "?" for c in path.name)[:_LONGEST_NAME]
    source = Source(name, _decoded(path, data), hashlib.sha256(data).hexdigest())
    if not source.text.strip():
        raise InputError(f"{path} is empty. Name a file with principles.")
    return source


def _decoded(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: got the byte 0x{data[error.start]:02x}, which is not UTF-8. "
            "Save the file as UTF-8 (for example: iconv -f LATIN1 -t UTF-8)."
        ) from error
    if "\0" in text:
        raise InputError(f"{path} holds zero bytes, so it is no text. Name a text file.")
    return text.replace("\r\n", "\n")


def json_value(source: Source) -> Any:
    """The file as one JSON value.

    Raises:
        InputError: it is not JSON, or a key comes twice; the message has the line of the former.
    """
    return _parsed(source, source.text, 0)


def json_lines(source: Source) -> list[tuple[int, Any]]:
    """The numbers of lines and their JSON values; blank lines are passed over.

    Raises:
        InputError: a line is not JSON.
    """
    lines = enumerate(source.text.split("\n"), 1)
    return [(n, _parsed(source, line, n - 1)) for n, line in lines if line.strip()]


def _parsed(source: Source, text: str, before: int) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            double = next(key for key in keys if keys.count(key) > 1)
            raise InputError(
                f"{source.name}: the key {double[:80]!r} comes twice in one JSON object, so one "
                "of its values would be lost. Rename or remove one."
            )
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{source.name}, line {before + error.lineno}, column {error.colno}: not valid JSON: "
            f"{error.msg}. Correct that line."
        ) from error
    except (RecursionError, ValueError) as error:
        raise InputError(
            f"{source.name}: not usable JSON: {str(error)[:120]}. Allowed: nested lists and "
            "objects of a moderate depth, and numbers of a moderate length."
        ) from error


def broken(source: Source, where: str, got: str, allowed: str, fix: str = "") -> InputError:
    """The error about one place: where, what was got, what is allowed, how to fix it."""
    return InputError(
        f"{source.name}, {where}: got {got}. Allowed: {allowed}.{' ' * bool(fix)}{fix}"
    )


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {type(None): "null", bool: "true or false", str: "a text", list: "a list"}
    if isinstance(value, dict):
        keys = ", ".join(f"{key[:40]!r}" for key in list(value)[:8])
        return f"an object with the keys {keys}" if keys else "an empty object"
    return names.get(type(value), "a number")


def wording(source: Source, where: str, value: Any, *, longest: int = LONGEST) -> str:
    """A text of the file, without blanks around it.

    A wording that is too long is refused and not cut: half a rule is another rule.

    Raises:
        InputError: it is no text, has no words, is too long, or holds control characters.
    """
    if not isinstance(value, str):
        raise broken(source, where, kind_of(value), "a text", "Write the text in quotes.")
    text = value.strip()
    if not text:
        raise broken(source, where, "an empty text", "a text with words", "Fill it or remove it.")
    if found := _UNSEEN.search(text):
        raise broken(
            source,
            where,
            f"the character U+{ord(found.group()):04X}",
            "letters, signs, blanks, tabs and line breaks",
            "Remove it.",
        )
    if len(text) > longest:
        raise broken(
            source,
            where,
            f"{len(text):,} characters ({text[:40]!r}...)",
            f"at most {longest:,}",
            "A wording goes into every request; shorten it or split it.",
        )
    return text
