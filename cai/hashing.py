"""Content hashes: one canonical form, so that the same meaning always has the same identity."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["canonical_json", "content_hash", "short_id", "unit_interval", "unit_intervals"]


def canonical_json(value: Any) -> bytes:
    """Serialise plain data or dataclasses with sorted keys and no spaces.

    The fields of a dataclass stay in the order in which its class defines them.

    Raises:
        TypeError: for values that JSON cannot hold.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def content_hash(value: Any) -> str:
    """SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def short_id(value: Any) -> str:
    """The first 16 hexadecimal digits (64 bits) of `content_hash`: enough for ids of rows."""
    return content_hash(value)[:16]


def unit_interval(*parts: Any) -> float:
    """A number in (0, 1) that depends on `parts` alone: a hash in place of a random generator."""
    return _between(hashlib.sha256(canonical_json(parts)).digest())


def unit_intervals(*parts: Any, last: Iterable[str]) -> list[float]:
    """`unit_interval(*parts, one)` for each of `last`; what they have in common is hashed once."""
    begun = hashlib.sha256(canonical_json(parts)[:-1])
    numbers = []
    for one in last:
        hashed = begun.copy()
        hashed.update(_last(one))
        numbers.append(_between(hashed.digest()))
    return numbers


@lru_cache(maxsize=4096)
def _last(part: str) -> bytes:
    return b",%b]" % canonical_json(part)


def _between(digest: bytes) -> float:
    return (int.from_bytes(digest[:8], "big") + 0.5) / 2.0**64
