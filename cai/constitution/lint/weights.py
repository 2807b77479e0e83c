"""How principles are drawn, mixed and ordered (C601 to C605)."""

from __future__ import annotations

from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING

from cai.constitution.lint.finding import Finding
from cai.constitution.models import chosen_by
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.constitution.models import Constitution

__all__ = ["mix", "priorities", "weights"]

_DOMINATES = 0.5
"""Largest share of all draws that one principle may have."""
_RARE = 0.1
"""Smallest weight, relative to the median weight, that is not remarked on."""


def weights(constitution: Constitution) -> Iterator[Finding]:
    """C601 and C602."""
    principles = constitution.principles
    if len(principles) == 1:
        return
    total, middle = sum(p.weight for p in principles), median(p.weight for p in principles)
    for p in principles:
        share = p.weight / total
        if share > _DOMINATES:
            yield Finding(
                "C601",
                "warning",
                p.id,
                f"Its weight, {p.weight:g}, gives it {share:.0%} of all draws; the others together "
                "get the rest.",
                "Lower its weight, or raise the others.",
                "weight",
            )
        elif p.weight < _RARE * middle:
            yield Finding(
                "C602",
                "warning",
                p.id,
                f"Its weight, {p.weight:g}, gives it one in {1 / share:,.0f} draws. It will hardly "
                "ever be used.",
                "Raise its weight, or remove the principle.",
                "weight",
            )


def mix(constitution: Constitution) -> Iterator[Finding]:
    """C603."""
    tags = {tag for p in constitution.principles for tag in p.tags}
    if "harmlessness" not in tags:
        return
    risks = {"anti-evasive": "dodge questions", "non-preachy": "lecture people"}
    for tag, risk in risks.items():
        if tag not in tags:
            yield Finding(
                "C603",
                "warning",
                "",
                f"There are principles about harmlessness but none tagged '{tag}'. A model trained "
                f"on harmlessness alone learns to {risk}.",
                f"Include the family 'tone' with the tag '{tag}', or tag a principle of your own.",
                "include",
            )


def priorities(constitution: Constitution) -> Iterator[Finding]:
    """C604 and C605.

    A narrow entry before a wider one that holds it, such as `honesty.sources` before `honesty.*`,
    is how an exception is written, and no overlap.
    """
    if constitution.aggregate == "priority" and not constitution.priorities:
        yield Finding(
            "C605",
            "error",
            "",
            "'aggregate: priority' goes by 'priorities', and there are none. A run would stop.",
            "Add 'priorities', highest first, for example ['harmlessness.*', 'tag:honesty'].",
            "aggregate",
        )
    named = [
        {p.id for p in constitution.principles if chosen_by(entry, p)}
        for entry in constitution.priorities
    ]
    for (i, first), (k, second) in combinations(enumerate(named), 2):
        both = sorted(first & second)
        if not both or first < second:
            continue
        one, other = constitution.priorities[i], constitution.priorities[k]
        useless = " Nothing is left for the later one." if second <= first else ""
        yield Finding(
            "C604",
            "warning",
            "",
            f"'priorities' names {listed(both[:3])}{' …' if len(both) > 3 else ''} twice: by "
            f"'{one}' and by '{other}'. The first, '{one}', counts.{useless}",
            f"Remove '{other}'." if useless else "Write the entries so that they do not overlap.",
            f"priorities.{k}",
        )
