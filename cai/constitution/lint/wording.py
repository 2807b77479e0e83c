"""Rules about single wordings: placeholders, labels, length, critiques, judge questions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cai.constitution.lint.finding import Finding
from cai.constitution.lint.words import LONGEST, statements, wordings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.constitution.principle import Principle

__all__ = ["critique", "dangling", "judge_question", "labels", "placeholders", "too_long"]

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
_DANGLING = re.compile(
    r"\b(?:this|these|the\s+(?:above|given|following))\s+(?:principles?|rules?|guidelines?|criteri\w+)\b"
    r"|\bthe\s+constitution\b|\b(?:as|stated|mentioned|described|listed)\s+(?:above|below)\b",
    re.IGNORECASE,
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


def placeholders(principle: Principle) -> Iterator[Finding]:
    """C201."""
    for key, wording in [*wordings(principle).items(), *statements(principle)]:
        found = _TEMPLATE.search(wording)
        if found:
            yield Finding(
                "C201",
                "error",
                principle.id,
                f"'{key}' contains '{found[0]}', which looks like a placeholder. Wordings are "
                "shown to the model exactly as written; nothing is filled in.",
                "Remove the placeholder and write plain words.",
                key,
            )


def labels(principle: Principle) -> Iterator[Finding]:
    """C202."""
    found = _LABEL.search(principle.judge)
    if found:
        yield Finding(
            "C202",
            "error",
            principle.id,
            f"'judge' names an answer by its place or letter ('{found[0]}'). The answers are shown "
            "in both orders, so a name like this pulls the judge to one place.",
            "Ask 'Which answer ...?' without naming one.",
            "judge",
        )


def too_long(principle: Principle) -> Iterator[Finding]:
    """C203."""
    for key, wording in wordings(principle).items():
        words, most = len(wording.split()), LONGEST[key]
        if words > most:
            yield Finding(
                "C203",
                "warning",
                principle.id,
                f"'{key}' has {words} words. Small models lose the thread after about {most}.",
                f"Shorten it to {most} words, or split the principle in two.",
                key,
            )


def critique(principle: Principle) -> Iterator[Finding]:
    """C208."""
    wording = principle.critique
    seeks = _SEEKS.search(wording) and not _KIND.search(wording)
    if wording.strip() and not (seeks or _FLAW.search(wording)):
        yield Finding(
            "C208",
            "warning",
            principle.id,
            "'critique' does not ask for anything wrong with the answer. A critic who is not asked "
            "for flaws tends to praise.",
            "Ask for specific places where the answer falls short, for example 'Point out where "
            "the answer fails to ...'.",
            "critique",
        )


def judge_question(principle: Principle) -> Iterator[Finding]:
    """C209."""
    question = principle.judge.strip()
    if not question or _CHOICE.search(question):
        return
    yield Finding(
        "C209",
        "warning" if question.endswith(("?", "\uff1f", "\u061f")) else "error",
        principle.id,
        "'judge' does not ask which of two answers is better. The judge sees two answers and has "
        "to pick one.",
        "Begin it with 'Which answer', and end it with a question mark.",
        "judge",
    )


def dangling(principle: Principle) -> Iterator[Finding]:
    """C210."""
    for key in ("critique", "revise", "judge"):
        found = _DANGLING.search(getattr(principle, key))
        if found:
            yield Finding(
                "C210",
                "warning",
                principle.id,
                f"'{key}' speaks of '{found[0]}', which the model is not shown: it sees the "
                f"conversation, the answer and '{key}'.",
                "Say what is meant in its place.",
                key,
            )
