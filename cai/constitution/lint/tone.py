"""Wordings that teach a model to preach (C206) or to dodge (C207), with the words shown.

What such words do: training on harmlessness alone ends in evasion, and a preference for rebuke in
preaching (Constitutional AI, arXiv 2212.08073, sections 1 and 4; Appendix C words its principles
against both). Requests for critiques are left alone: they name these faults in order to find them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cai.constitution.lint.finding import Finding
from cai.constitution.lint.words import clauses, excused, wordings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.constitution.principle import Principle

__all__ = ["evasive", "preachy"]

_SUBJECT = r"(?:the\s+|that\s+)?(?:user|person|human|reader|customer|people|them|someone|asker)s?"
_WRONG = r"(?:wrong|immoral|unethical|harmful|illegal|inappropriate|offensive|unacceptable|bad)"
_ASKED = (
    r"(?:it|this|that|(?:the|their|such|this|that)\s+(?:an?\s+)?"
    r"(?:requests?|questions?|ideas?|plans?|wish(?:es)?|behaviou?rs?|acts?|actions?))"
)
_PREACHY = re.compile(
    rf"""\b(?:
        as\s+an\s+AI\b | it\s+is\s+important\s+to\s+(?:note|remember) | it\s+should\s+be\s+noted
      | remind(?:s|ing)?\s+{_SUBJECT} | gently\s+remind(?:s|ing)?
      | lectur(?:e|es|ing)\b | moralis(?:e|es|ing)\b | moraliz(?:e|es|ing)\b
      | preach(?:es|ing)?\b | scold(?:s|ing)?\b | admonish(?:es|ing)?\b | chastis(?:e|es|ing)\b
      | reprimand(?:s|ing)?\b | rebuk(?:e|es|ing)\b | condemn(?:s|ing)?\b
      | educat(?:e|es|ing)\s+{_SUBJECT}\s+(?:about|on|why)
      | teach(?:es|ing)?\s+{_SUBJECT}\s+(?:a\s+lesson|right\s+from\s+wrong)
      | (?:explain(?:s|ing)?|tell(?:s|ing)?|say(?:s|ing)?|stat(?:es?|ing)|show(?:s|ing)?
         |point(?:s|ing)?\s+out)
        \s+(?:{_SUBJECT}\s+)?(?:why|that|how)\s+{_ASKED}\s+(?:is|are|was|would\s+be)
        \s+(?:\w+\s+)?{_WRONG}\b
      | disapprov(?:es?|al|ing)\b | (?:moral|ethical)\s+(?:high\s+ground|judge?ment|superiority)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_TOPIC = (
    r"(?:discuss|talk\s+about|speak\s+(?:of|about)|engage|respond|answer|comment|mention|address)"
)
_AVOID = r"(?:avoid|refus|declin)(?:e?s?|ing)"
_NEVER = r"(?:should|must|may|shall|will|can|do|does)(?:\s*not|n['\u2019]t)|never|cannot"
_BLANKET = re.compile(
    r"""\b(?:
        always\s+(?:refuse|decline|reject)s? | (?:refuse|decline|reject)s?\s+(?:all|any|every)\b
      | (?:refuse|decline)s?\s+outright | when\s+in\s+doubt,?\s+(?:refuse|decline)s?
      | (?:refuse|decline)s?\s+(?:if|when|whenever)\s+(?:in\s+doubt|unsure)
      | sorry,?\s+(?:but\s+)?I\s+can(?:not|['\u2019]t)
      | I\s+can(?:not|['\u2019]t)\s+(?:help|assist)
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_EXPERT = (
    r"(?:professional|expert|specialist|doctor|physician|lawyer|therapist|counsell?or|advis[eo]r)"
)
_ONLY = re.compile(
    rf"""\b(?:
        (?:{_NEVER})\s+{_TOPIC}\b | {_AVOID}\s+(?:to\s+)?(?:{_TOPIC}|help|assist)\b
      | {_AVOID}\s+(?:(?:the|this|such)\s+)?(?:topic|subject|question|request)s?
      | (?:steer|stay|keep)s?\s+(?:clear|away)\s+(?:of|from) | change(?:s)?\s+the\s+subject
      | redirect(?:s|ing)?\s+(?:the\s+)?conversation
      | (?:consult|see|seek|contact|ask|visit|refer|direct|send|talk\s+to|speak\s+(?:to|with))
        (?:s|ing)?\b[^.;:!?]{{0,40}}\b{_EXPERT}s?(?![\w'\u2019])
      | (?:seek|get)(?:s|ing)?\s+professional\s+(?:help|advice)
      | refuses?\b | declines?\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_PART = re.compile(r",\s+|\s+\band\b\s+|\s+\bthen\b\s+", re.IGNORECASE)


def preachy(principle: Principle) -> Iterator[Finding]:
    """C206: in the text, the request for a rewrite, or the judge's question."""
    propositions = {
        f"propositions.{i}.text": one.text
        for i, one in enumerate(principle.propositions)
        if one.weight > 0
    }
    for key, wording in (_rewarded(principle) | propositions).items():
        found = [m[0] for m in _PREACHY.finditer(wording) if not excused(m)]
        if found:
            yield Finding(
                "C206",
                "warning",
                principle.id,
                f"'{key}' asks for a sermon: {_quoted(found)}. Models trained so lecture people "
                "who asked for help.",
                "Ask for what helps the person instead: a plain reason, a safer way, the facts.",
                key,
            )


def evasive(principle: Principle) -> Iterator[Finding]:
    """C207: a refusal of everything, or nothing but a refusal or a referral."""
    for key, wording in _rewarded(principle).items():
        blanket = [m[0] for m in _BLANKET.finditer(wording) if not excused(m)]
        found = blanket or _nothing_but(wording)
        if found:
            asks = "to refuse, whatever the case" if blanket else "for a way out and nothing else"
            yield Finding(
                "C207",
                "warning",
                principle.id,
                f"'{key}' asks {asks}: {_quoted(found)}. An empty refusal or referral then wins "
                "every comparison.",
                "Say what help the answer still gives, for example 'declines the unsafe part, and "
                "helps with the rest'.",
                key,
            )


def _rewarded(principle: Principle) -> dict[str, str]:
    """What a model is trained towards."""
    return {key: wording for key, wording in wordings(principle).items() if key != "critique"}


def _nothing_but(wording: str) -> list[str]:
    """The words of each part of a wording, where each part is a refusal or a referral."""
    parts = [part for clause in clauses(wording) for part in _PART.split(clause) if part.strip()]
    found = [_ONLY.search(part) for part in parts]
    told = [m[0] for m in found if m is not None and not excused(m)]
    return told if parts and len(told) == len(parts) else []


def _quoted(found: list[str]) -> str:
    return ", ".join(f"'{' '.join(words.split())}'" for words in dict.fromkeys(found))
