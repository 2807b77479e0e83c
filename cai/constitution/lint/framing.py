"""Whether a text says what to do, or only what to leave out (C204, C205)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.constitution.lint.finding import Finding
from cai.constitution.lint.words import NEGATIVE, clauses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.constitution.principle import Principle

__all__ = ["framing"]


def framing(principle: Principle) -> Iterator[Finding]:
    """C204 where nothing is declared, C205 where something else is declared than written."""
    parts = clauses(principle.text)
    negative = [bool(NEGATIVE.search(part)) for part in parts]
    if not parts:
        return
    if principle.framing is None and all(negative):
        yield Finding(
            "C204",
            "warning",
            principle.id,
            "'text' only says what to leave out. C3AI (arXiv 2502.15861) found that principles "
            "which name a wanted behaviour agree better with what people prefer.",
            "Say what a good answer does, for example 'The answer says how sure it is' in place of "
            "'Never sound too sure'. Where the negative wording is meant, add 'framing: negative'.",
            "text",
        )
    elif principle.framing == "positive" and all(negative):
        yield _mismatch(
            principle, "'framing' says positive, but 'text' only says what to leave out"
        )
    elif principle.framing == "negative" and not any(negative):
        yield _mismatch(principle, "'framing' says negative, but nothing in 'text' is left out")


def _mismatch(principle: Principle, what: str) -> Finding:
    return Finding(
        "C205",
        "warning",
        principle.id,
        f"{what}. Reports by framing will count it on the wrong side.",
        "Correct 'framing', or word the text as it says.",
        "framing",
    )
