"""What a careful colleague would remark on in a constitution before it is used.

The rules that look at words know English; for that reason they warn and do not fail. Errors are
kept for what would spoil labels in any language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain, combinations
from statistics import median
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.constitution.models import Constitution, Principle

__all__ = ["Finding", "lint"]

_MOST_WORDS = {"text": 30, "critique": 30, "revise": 30, "judge": 25}
"""Longest wordings that a model of about a billion parameters still follows as a whole."""
_SIMILAR = 0.8
"""Share of words in common (Jaccard index) from which two wordings count as the same."""
_DOMINATES = 0.5
"""Largest share of all draws that one principle may have."""
_RARE = 0.1
"""Smallest weight, relative to the median weight, that is not remarked on."""

_TEMPLATE = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}|\$\{|<\||\|>")
_CHOICE = re.compile(r"\b(which|choose|pick|select)\b", re.IGNORECASE)
_LABEL = re.compile(
    r"""\b(?i:answers?|responses?|repl(?:y|ies)|options?|candidates?|completions?|assistants?)
        \s+["'(]*(?:[AB12]|(?i:one|two))\b          # answer A, response (2)
      | ["'(][AB]["')]                              # "A", (B)
      | \bA\s+(?:or|and|over|than)\s+B\b | \bB\s+(?:or|and|over|than)\s+A\b
      | \b(?i:first|second)\s+(?i:answer|response|reply|option|one)\b""",
    re.VERBOSE,
)
_FLAW = re.compile(
    r"\b(fall\w*\s+short|fail|flaw|fault|problem|weak|wrong|false|fake|bias|harm|hurt|injur|danger"
    r"|mislead|miss|lack|error|mistake|violat|breaks?\b|broke|ignor|unclear|unfair|unsafe|vague|wors"
    r"|dodg|lectur|insult|stereotyp|too\b|cannot|without|not\b|never\b|\w+n['\u2019]t\b)",
    re.IGNORECASE,
)
_SEEKS = re.compile(
    r"\b(point\s+out|find|list|name|quote|identify|describe|say|show|spot|critici[sz]e|critique)\b",
    re.IGNORECASE,
)
_KIND = re.compile(r"\b(whether|good|well|best|strengths?|praise|likes?)\b", re.IGNORECASE)
_NEGATIVE = re.compile(
    r"\b(never|no|not|avoids?|avoiding|refuses?|refrains?|cannot|\w+n['\u2019]t)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.;:!?]+|,?\s+\b(?:but|instead|rather|yet)\b|,\s+and\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark on a constitution."""

    level: Literal["error", "warning"]
    """An error spoils labels; a warning is advice."""
    principle_id: str
    """The principle it is about; empty when it is about the whole constitution."""
    message: str
    """What was found, and why it matters."""
    fix: str
    """What to do about it."""


def lint(constitution: Constitution) -> list[Finding]:
    """Check the wording, weights, tags and mix of a constitution.

    Returns the findings, errors first, then by principle id. An empty list means that nothing was
    found; it does not mean that the principles are good: only trying them on prompts shows that.
    """
    rules = (_template, _judge, _labels, _too_long, _critique, _negative, _bare)
    each = (finding for p in constitution.principles for rule in rules for finding in rule(p))
    whole = chain(_alike(constitution), _weights(constitution), _mix(constitution))
    return sorted(chain(each, whole), key=lambda f: (f.level, f.principle_id))


def _wordings(principle: Principle) -> dict[str, str]:
    return {field: getattr(principle, field) for field in _MOST_WORDS}


def _template(principle: Principle) -> Iterator[Finding]:
    for field, wording in _wordings(principle).items():
        found = _TEMPLATE.search(wording)
        if found:
            yield Finding(
                "error",
                principle.id,
                f"'{field}' contains '{found[0]}', which looks like a placeholder. Wordings are "
                "shown to the model exactly as written; nothing is filled in.",
                "Remove the placeholder and write plain words.",
            )


def _judge(principle: Principle) -> Iterator[Finding]:
    if _CHOICE.search(principle.judge):
        return
    asks = principle.judge.rstrip().endswith(("?", "\uff1f", "\u061f"))
    yield Finding(
        "warning" if asks else "error",
        principle.id,
        "'judge' does not ask which of two answers is better. The judge sees two answers and has "
        "to pick one.",
        "Begin it with 'Which answer', and end it with a question mark.",
    )


def _labels(principle: Principle) -> Iterator[Finding]:
    found = _LABEL.search(principle.judge)
    if found:
        yield Finding(
            "error",
            principle.id,
            f"'judge' names an answer by its place or letter ('{found[0]}'). The answers are shown "
            "in both orders, so a name like this pulls the judge to one place.",
            "Ask 'Which answer ...?' without naming one.",
        )


def _too_long(principle: Principle) -> Iterator[Finding]:
    for field, wording in _wordings(principle).items():
        words, most = len(wording.split()), _MOST_WORDS[field]
        if words > most:
            yield Finding(
                "warning",
                principle.id,
                f"'{field}' has {words} words. Small models lose the thread after about {most}.",
                f"Shorten it to {most} words, or split the principle in two.",
            )


def _critique(principle: Principle) -> Iterator[Finding]:
    wording = principle.critique
    seeks = _SEEKS.search(wording) and not _KIND.search(wording)
    if not (seeks or _FLAW.search(wording)):
        yield Finding(
            "warning",
            principle.id,
            "'critique' does not ask for anything wrong with the answer. A critic who is not asked "
            "for flaws tends to praise.",
            "Ask for specific places where the answer falls short, for example 'Point out where "
            "the answer fails to ...'.",
        )


def _negative(principle: Principle) -> Iterator[Finding]:
    clauses = [clause for clause in _CLAUSE.split(principle.text) if clause.strip()]
    if clauses and all(_NEGATIVE.search(clause) for clause in clauses):
        yield Finding(
            "warning",
            principle.id,
            "'text' only says what to leave out. C3AI (arXiv 2502.15861) found that principles "
            "which name a wanted behaviour agree better with what people prefer.",
            "Say what a good answer does, for example 'The answer says how sure it is' in place of "
            "'Never sound too sure'.",
        )


def _bare(principle: Principle) -> Iterator[Finding]:
    if not principle.note.strip():
        yield Finding(
            "warning",
            principle.id,
            "There is no 'note'. Later readers cannot tell where the principle comes from.",
            "Add a note: its source, and why it is worded so.",
        )
    if not principle.tags:
        yield Finding(
            "warning",
            principle.id,
            "There are no 'tags'. Reports by subject will leave this principle out.",
            "Add at least one tag, for example the subject.",
        )


def _alike(constitution: Constitution) -> Iterator[Finding]:
    for field in ("text", "judge"):
        bags = [
            (p.id, frozenset(re.findall(r"\w+", getattr(p, field).casefold())))
            for p in constitution.principles
        ]
        for (one, first), (other, second) in combinations(bags, 2):
            union = len(first | second)
            if union and len(first & second) >= _SIMILAR * union:
                yield Finding(
                    "warning",
                    other,
                    f"'{field}' says nearly the same as in '{one}'. Its subject is then drawn "
                    "twice as often, and nothing new is judged.",
                    "Drop one of the two, or make clear how they differ.",
                )


def _weights(constitution: Constitution) -> Iterator[Finding]:
    principles = constitution.principles
    if len(principles) == 1:
        return
    total, middle = sum(p.weight for p in principles), median(p.weight for p in principles)
    for p in principles:
        share = p.weight / total
        if share > _DOMINATES:
            yield Finding(
                "warning",
                p.id,
                f"Its weight, {p.weight:g}, gives it {share:.0%} of all draws; the others together "
                "get the rest.",
                "Lower its weight, or raise the others.",
            )
        elif p.weight < _RARE * middle:
            yield Finding(
                "warning",
                p.id,
                f"Its weight, {p.weight:g}, gives it one in {1 / share:,.0f} draws. It will hardly "
                "ever be used.",
                "Raise its weight, or remove the principle.",
            )


def _mix(constitution: Constitution) -> Iterator[Finding]:
    tags = {tag for p in constitution.principles for tag in p.tags}
    if "harmlessness" not in tags:
        return
    risks = {"anti-evasive": "dodge questions", "non-preachy": "lecture people"}
    for tag, risk in risks.items():
        if tag not in tags:
            yield Finding(
                "warning",
                "",
                f"There are principles about harmlessness but none tagged '{tag}'. A model trained "
                f"on harmlessness alone learns to {risk}.",
                f"Include the family 'tone' with the tag '{tag}', or tag a principle of your own.",
            )
