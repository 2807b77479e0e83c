"""All rules that need nothing but the constitution, in the order in which people read them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from cai.constitution.lint.framing import framing
from cai.constitution.lint.judging import examples, propositions, rubric
from cai.constitution.lint.reach import unreachable
from cai.constitution.lint.repeats import repeats
from cai.constitution.lint.tone import evasive, preachy
from cai.constitution.lint.uses import bare, comparisons, revisions
from cai.constitution.lint.weights import mix, priorities, weights
from cai.constitution.lint.wording import (
    critique,
    dangling,
    judge_question,
    labels,
    placeholders,
    too_long,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.constitution.lint.finding import Finding
    from cai.constitution.models import Constitution

__all__ = ["in_order", "lint"]

_EACH = (
    *(placeholders, labels, too_long, framing, preachy, evasive, critique, judge_question),
    *(dangling, bare, unreachable, rubric, propositions, examples),
)


def lint(constitution: Constitution) -> list[Finding]:
    """Check the wording, selectors, weights, tags and mix of a constitution.

    Returns the findings, errors first, then by principle id. An empty list means that nothing was
    found; it does not mean that the principles are good: only trying them on prompts shows that.
    The order of the principles makes no difference.
    """
    principles = tuple(sorted(constitution.principles, key=lambda p: p.id))
    ordered = constitution.model_copy(update={"principles": principles})
    return in_order(
        chain(
            (finding for p in principles for rule in _EACH for finding in rule(p)),
            repeats(principles),
            comparisons(principles),
            revisions(principles),
            weights(ordered),
            mix(ordered),
            priorities(ordered),
        )
    )


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then by principle id, with those about the whole constitution at the front."""
    return sorted(findings, key=lambda f: (f.level, f.principle_id, f.code, f.key, f.message))
