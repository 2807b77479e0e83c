"""What of an answer may please whoever rates it, whatever it is worth: by phrases, a smoke test.

Raters prefer answers that are longer, that agree with them and that flatter (Sharma et al. 2023,
"Towards Understanding Sycophancy in Language Models", arXiv:2310.13548, section 4).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from cai.quality.checks.refusals import phrases

__all__ = ["agrees", "refuses"]

_BEGINNING = 200
"""Characters of an answer in which it agrees, flatters or refuses, if it does."""


def agrees(text: str) -> bool:
    """Whether an answer begins with agreement or flattery."""
    return bool(_agreement().search(_folded(text)))


def refuses(text: str) -> bool:
    """Whether an answer begins like a refusal."""
    return bool(_refusal().search(_folded(text)))


def _folded(text: str) -> str:
    return text[:_BEGINNING].casefold().replace("\u2019", "'")


@cache
def _agreement() -> re.Pattern[str]:
    text = Path(__file__).with_name("_agreement.txt").read_text(encoding="utf-8")
    return _any([line for line in text.splitlines() if line and not line.startswith("#")])


@cache
def _refusal() -> re.Pattern[str]:
    return _any(phrases()["refusal"])


def _any(found: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?<!\w){re.escape(phrase)}(?!\w)" for phrase in found))
