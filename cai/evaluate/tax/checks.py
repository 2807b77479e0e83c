"""Checks of the form of an answer. Each is exact: no model takes part."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from cai.evaluate.tax.content import Check

__all__ = ["passes"]


def passes(checks: Iterable[Check], answer: str) -> bool:
    """Whether an answer passes all checks. White space around it does not count."""
    text = answer.strip()
    return all(
        _CHECKS[name](value, text)
        for check in checks
        for name, value in check.model_dump(exclude_none=True).items()
    )


def _json(keys: Iterable[str], text: str) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and all(key in found for key in keys)


def _has_word(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


_CHECKS: dict[str, Callable[[Any, str], bool]] = {
    "regex": lambda pattern, text: re.fullmatch(pattern, text) is not None,
    "min_words": lambda least, text: len(text.split()) >= least,
    "max_words": lambda most, text: len(text.split()) <= most,
    "starts_with": lambda start, text: text.startswith(start),
    "ends_with": lambda end, text: text.endswith(end),
    "contains": lambda pieces, text: all(p.casefold() in text.casefold() for p in pieces),
    "without": lambda pieces, text: all(p.casefold() not in text.casefold() for p in pieces),
    "without_words": lambda words, text: not any(_has_word(word, text) for word in words),
    "json_keys": _json,
}
