"""Names, places and other personal data by Microsoft Presidio, an optional extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["presidio_finder"]

_SURE = 0.6
# Dates, countries and web addresses are in every other text and point at nobody.
_IGNORED = frozenset({"DATE_TIME", "NRP", "URL"})


def presidio_finder() -> Callable[[str], list[tuple[str, str]]]:
    """A function that returns the kind and the text of what it finds in an English text.

    Raises:
        MissingExtraError: Presidio or its spaCy model is not installed.
    """
    try:
        from presidio_analyzer import AnalyzerEngine
    except ImportError as error:
        raise MissingExtraError(
            "Looking for names (--presidio)",
            "pii",
            " and a model with: python -m spacy download en_core_web_lg",
        ) from error
    engine = AnalyzerEngine()

    def find(text: str) -> list[tuple[str, str]]:
        results = engine.analyze(text=text, language="en", score_threshold=_SURE)
        return [
            (str(found.entity_type).lower(), text[found.start : found.end])
            for found in results
            if found.entity_type not in _IGNORED
        ]

    return find
