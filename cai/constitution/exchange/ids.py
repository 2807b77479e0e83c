"""Ids from foreign keys and words: the same file always gives the same ids."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from cai.hashing import content_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.exchange.draft import Entry

__all__ = ["ids_of", "is_slug", "slug"]

_LONGEST_ID = 80
_LONGEST_PART = 40
_WORDS = 5
_SLUG = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_APOSTROPHE = re.compile("['\u2019]")
_EMPTY = frozenset(
    {
        *("a", "all", "am", "amend", "an", "and", "answer", "answers", "any", "are", "as"),
        *("assistant", "at", "be", "by", "can", "choose", "do", "does", "for", "from", "good"),
        *("human", "i", "if", "in", "is", "it", "its", "last", "less", "make", "me", "more", "my"),
        *("new", "of", "on", "or", "please", "preceding", "previous", "reply", "response"),
        *("revise", "revision", "rewrite", "select", "so", "than", "that", "the", "this", "to"),
        *("try", "version", "way", "we", "what", "which", "with", "would", "write", "you", "your"),
    }
)
"""Words that say little about a principle; they are left out of ids."""


def slug(text: str, longest: int = _LONGEST_PART) -> str:
    """Lower-case words of a to z and digits with `-` between them; empty where there are none."""
    return _joined(_words(text), longest)


def is_slug(text: str) -> bool:
    """Whether a text can be an id as it is."""
    return len(text) <= _LONGEST_ID and _SLUG.fullmatch(text) is not None


def ids_of(entries: Sequence[Entry], prefix: str) -> list[str]:
    """A unique id for each entry.

    A key of the file that can be an id is one. Otherwise the id is the heading, or `prefix`, and
    the first telling words; where several entries would get the same, a hash of their wordings is
    added. No id depends on an entry's place in the file.
    """
    given: set[str] = set()
    found: list[str | None] = []
    for entry in entries:
        keeps = is_slug(entry.key) and entry.key not in given
        found.append(entry.key if keeps else None)
        given |= {entry.key} if keeps else set()
    bases = ["" if one else _base(entry, prefix) for entry, one in zip(entries, found, strict=True)]
    often = Counter(bases)
    ids = []
    for entry, one, base in zip(entries, found, bases, strict=True):
        if one is None:
            one = base if often[base] == 1 and base not in given else f"{base}-{_hash(entry)}"
            one = _free(one, given)
            given.add(one)
        ids.append(one)
    return ids


def _base(entry: Entry, prefix: str) -> str:
    if entry.key:
        return slug(entry.key) or f"{prefix}.p-{_hash(entry)}"
    worded = next(filter(None, (entry.revise, entry.text, entry.judge, entry.critique)))
    words = _words(worded)
    telling = [word for word in words if word not in _EMPTY] or words
    name = _joined(telling[:_WORDS], _LONGEST_PART) or f"p-{_hash(entry)}"
    return f"{slug(entry.group) or prefix}.{name}"


def _hash(entry: Entry) -> str:
    return content_hash([entry.text, entry.critique, entry.revise, entry.judge])[:6]


def _free(wanted: str, given: set[str]) -> str:
    number, one = 1, wanted
    while one in given:
        number += 1
        one = f"{wanted}-{number}"
    return one


def _words(text: str) -> list[str]:
    # Long texts are cut first: an id needs their beginning alone.
    folded = unicodedata.normalize("NFKD", _APOSTROPHE.sub("", text[:400]))
    return re.findall(r"[a-z0-9]+", folded.encode("ascii", "ignore").decode().lower())


def _joined(words: Sequence[str], longest: int) -> str:
    joined = ""
    for word in words:
        more = f"{joined}-{word}" if joined else word[:longest]
        if len(more) > longest:
            break
        joined = more
    return joined
