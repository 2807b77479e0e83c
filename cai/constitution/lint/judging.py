"""Rubrics, propositions and examples (C501 to C504)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cai.constitution.lint.finding import Finding
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.constitution.principle import Principle

__all__ = ["examples", "propositions", "rubric"]

_ENDS = (1, 10)
_TIMES, _LEAST = 10, 12
"""An example is long above so many times the words of the judge's question; of a question that is
shorter than `_LEAST` words, above so many times that."""

_FAULT = (
    r"(?:insult|slur|threat|lie|error|mistake|falsehood|stereotype|lecture|sermon|contempt|mockery"
    r"|flattery|padding|jargon|profanity|hate|bias|misinformation)"
)
_SUBJECT = r"(?:the\s+|an?\s+)?(?:response|answer|reply|assistant|it)"
_FAULTY = re.compile(
    rf"""^\W*{_SUBJECT}\s+(?:
        (?:contains?|includes?|has|uses?|makes?|gives?|repeats?)\s+(?:an?\s+|any\s+|some\s+)?
        (?:(?!no\b|fewer\b)\w+\s+)?{_FAULT}(?:s|es)?\b
      | (?:is|sounds?|seems?|looks?)\s+(?:too\s+|very\s+)?(?:rude|harmful|unsafe|misleading
         |dishonest|preachy|evasive|condescending|judg(?:e)?mental|insulting|biased|hateful|offensive|false
         |wrong|incorrect|vague|cold|toxic|sexist|racist)\b
      | (?:fails|ignores|dodges|lectures|insults|misleads|mocks|threatens|scolds|preaches|blames
         |belittles|flatters|lies|invents|moralises|moralizes|demeans|stereotypes)\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def rubric(principle: Principle) -> Iterator[Finding]:
    """C501."""
    scores = sorted(level.score for level in principle.rubric)
    missing = [str(end) for end in _ENDS if end not in scores]
    if scores and missing:
        yield Finding(
            "C501",
            "warning",
            principle.id,
            f"'rubric' says nothing of {' and '.join(missing)}; it has "
            f"{listed(map(str, scores))}. Without both ends of the scale, 1 and 10, judges crowd "
            "in the middle.",
            f"Add what an answer with a {' and with a '.join(missing)} is like.",
            "rubric",
        )


def propositions(principle: Principle) -> Iterator[Finding]:
    """C502: a fault that counts in favour of an answer."""
    for i, one in enumerate(principle.propositions):
        found = _FAULTY.search(one.text)
        if found and one.weight > 0:
            yield Finding(
                "C502",
                "warning",
                principle.id,
                f"A proposition names a fault, '{found[0].strip()}', and its weight is "
                f"{one.weight:g}: answers with the fault are preferred.",
                f"Set its weight below 0, for example {-one.weight:g}, or state the virtue.",
                f"propositions.{i}",
            )


def examples(principle: Principle) -> Iterator[Finding]:
    """C503 and C504."""
    asked = max(len(principle.judge.split()), _LEAST)
    for i, one in enumerate(principle.examples):
        if " ".join(one.better.split()) == " ".join(one.worse.split()):
            yield Finding(
                "C503",
                "error",
                principle.id,
                "In an example, 'better' and 'worse' are the same text. It tells the judge that "
                "there is no difference.",
                "Give two different answers, or remove the example.",
                f"examples.{i}",
            )
        words = sum(len(text.split()) for text in (one.prompt, one.better, one.worse))
        if words > _TIMES * asked:
            yield Finding(
                "C504",
                "warning",
                principle.id,
                f"An example has {words} words, and the question that it illustrates "
                f"{len(principle.judge.split())}. It drowns the question, and is read in every "
                "comparison.",
                f"Shorten it to {_TIMES * asked} words or fewer; a sentence for each answer does.",
                f"examples.{i}",
            )
