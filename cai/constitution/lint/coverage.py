"""Which categories of a taxonomy a constitution has a principle about (C801).

It is found by tags and by words, and words are all that is looked at: a principle may be about a
category without naming it, and may name one in order to exclude it. An empty line in the table is a
reason to look, and a full one no proof.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cai.constitution.lint.finding import Finding
from cai.constitution.lint.words import statements, wordings
from cai.constitution.models import chosen_by
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cai.constitution.lint.taxonomy import Category, Taxonomy
    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle

__all__ = ["Covered", "coverage", "coverage_findings"]


@dataclass(frozen=True, slots=True)
class Covered:
    """A category and the principles that seem to be about it."""

    category: Category
    by_tag: tuple[str, ...]
    """Ids of principles that carry one of its tags."""
    by_words: tuple[tuple[str, str], ...]
    """Ids of further principles, each with the first of its words that gave it away."""

    @property
    def anywhere(self) -> bool:
        """Whether there is any."""
        return bool(self.by_tag or self.by_words)


def coverage(constitution: Constitution, taxonomy: Taxonomy) -> list[Covered]:
    """Look for principles about each category, in the order of the taxonomy."""
    principles = sorted(constitution.principles, key=lambda p: p.id)
    texts = {p.id: _text(p) for p in principles}
    return [_covered(category, principles, texts) for category in taxonomy.categories]


def coverage_findings(found: Sequence[Covered], taxonomy: Taxonomy) -> list[Finding]:
    """C801: one warning that names what is missing."""
    missing = [one.category for one in found if not one.anywhere]
    if not missing:
        return []
    kinds = ((kind, [c.id for c in missing if c.kind == kind]) for kind in ("harm", "virtue"))
    named = "; ".join(f"{kind}s: {listed(ids)}" for kind, ids in kinds if ids)
    return [
        Finding(
            "C801",
            "warning",
            "",
            f"Of the {len(found)} categories of '{taxonomy.taxonomy}', {len(missing)} are in no "
            f"principle, by their tags and words: {named}. What is not written is left to the "
            "judge's own taste.",
            "Add principles about those that matter for your users; leave out the rest knowingly.",
            "principles",
        )
    ]


def _covered(category: Category, principles: Iterable[Principle], texts: dict[str, str]) -> Covered:
    by_tag, by_words = [], []
    pattern = _pattern(category.keywords) if category.keywords else None
    for p in principles:
        word = pattern.search(texts[p.id]) if pattern else None
        if any(chosen_by(f"tag:{tag}", p) for tag in category.tags):
            by_tag.append(p.id)
        elif word:
            by_words.append((p.id, word[0]))
    return Covered(category, tuple(by_tag), tuple(by_words))


def _text(principle: Principle) -> str:
    """All that a model is shown of a principle, apart from examples."""
    told = [*wordings(principle).values(), *(text for _, text in statements(principle))]
    return " ".join(" ".join(told).split())


@cache
def _pattern(keywords: tuple[str, ...]) -> re.Pattern[str]:
    """Matches any of the words and phrases; `*` within a word stands for letters."""
    phrases = (r"\s+".join(map(_word, keyword.split())) for keyword in keywords)
    return re.compile(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)", re.IGNORECASE)


def _word(word: str) -> str:
    return r"\w*".join(map(re.escape, word.split("*")))
