"""Pairs of rules to be asked about, and what is made of the answers (C802).

A model is asked in `cai.loop.contradictions`; here is what needs none.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cai.constitution.lint.alike import alike, grams
from cai.constitution.lint.finding import Finding
from cai.constitution.lint.selectors import impossible
from cai.constitution.principle import Model, Principle, Text
from cai.content import content_dir
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from cai.constitution.models import Constitution

__all__ = ["ALL_PAIRS_OF", "contradiction_finding", "known_pairs", "rule_pairs"]

ALL_PAIRS_OF = 20
"""Of up to so many principles every pair is asked about; of more, as many pairs as they have."""

_Rules = tuple[Text, Text]


class _Known(Model):
    """A file of pairs of rules whose answer is known."""

    format: Literal[1]
    contradict: tuple[_Rules, ...] = Field(min_length=1)
    agree: tuple[_Rules, ...] = Field(min_length=1)


def rule_pairs(
    constitution: Constitution, limit: int | None = None
) -> list[tuple[Principle, Principle]]:
    """Pairs of principles that may meet at a prompt, those with the most words in common first.

    Rules about different subjects seldom contradict each other, and they have few words in common.

    Args:
        constitution: its principles are paired.
        limit: most pairs; all pairs of up to 20 principles, and else 190, when absent.
    """
    ordered = sorted(constitution.principles, key=lambda p: p.id)
    pieces = {p.id: grams(p.text) for p in ordered}
    pairs = [
        (one, other)
        for one, other in combinations(ordered, 2)
        if not impossible(one.applies_to, other.applies_to)
    ]
    pairs.sort(key=lambda pair: -alike(pieces[pair[0].id], pieces[pair[1].id]))
    most = ALL_PAIRS_OF * (ALL_PAIRS_OF - 1) // 2
    return pairs[: most if limit is None else limit]


def known_pairs() -> tuple[list[tuple[Principle, Principle]], list[tuple[Principle, Principle]]]:
    """Pairs that contradict each other beyond doubt, and pairs that do not.

    Raises:
        ConfigError: the packaged file does not fit its format.
    """
    path = content_dir("prompts") / "score" / "contradiction.yaml"
    known = parse_model(_Known, read_yaml(path), path)
    return _as_rules("contradict", known.contradict), _as_rules("agree", known.agree)


def contradiction_finding(one: Principle, other: Principle, p: tuple[float, float]) -> Finding:
    """C802: what is said of a pair.

    Args:
        one: a principle.
        other: the one that it contradicts.
        p: P(contradict) in both orders.
    """
    return Finding(
        "C802",
        "warning",
        one.id,
        f"It contradicts '{other.id}', says the judge: P(contradict) is {p[0]:.2f}, and {p[1]:.2f} "
        f"with the two swapped. '{one.id}': \"{one.text}\" '{other.id}': \"{other.text}\"",
        "Read both. If no answer can follow both, change one, keep them to different prompts with "
        "'applies_to', or rank them under 'priorities'.",
        "text",
    )


def _as_rules(name: str, pairs: tuple[_Rules, ...]) -> list[tuple[Principle, Principle]]:
    return [
        (Principle(id=f"{name}.{i}.a", text=one), Principle(id=f"{name}.{i}.b", text=other))
        for i, (one, other) in enumerate(pairs)
    ]
