"""What can be seen of a text without a model: leaked scaffolding, refusals to revise, cut ends.

These checks record and clean; they decide nothing about quality. A refusal check by keywords is a
smoke test, so it looks only for a model that declines the *task of revising*, which is never the
wanted text; an answer that rightly declines the user's request is left alone.
"""

from __future__ import annotations

import re

__all__ = [
    "declines_to_revise",
    "leaks_revision",
    "same_text",
    "strip_scaffolding",
    "trim_to_sentence",
]

_REVISION = r"(?:revis(?:ed|ion)|rewrit(?:ten|e)|improved|updated|corrected|edited)"
_PREAMBLE = re.compile(
    r"\A\s*(?:(?:sure|certainly|of course|okay|ok|yes|absolutely)\b[^\n.:!]{0,40}[,.!:]?\s*)?"
    r"(?:here(?:'s|\u2019s| is| are)|this is|below is|the following is|i(?:'ve|\u2019ve| have)"
    r" (?=(?:revised|rewritten|updated|edited)\b))\s*"
    rf"[^\n:.]{{0,30}}\b{_REVISION}\b[^\n:]{{0,80}}:\s*",
    re.IGNORECASE,
)
_HEADING = re.compile(
    rf"\A\s*(?:\*\*|#+\s*|\[)?\s*(?:{_REVISION}|final|new)?\s*(?:response|answer|version|reply)\s*"
    r"(?:\*\*|\])?\s*:\s*(?:\*\*)?\s*",
    re.IGNORECASE,
)
_TAG = r"</?\s*(?:conversation|response|answer(?:_[ab])?|critique|principle|revision)\s*>"
_OUTER_TAGS = re.compile(rf"\A(?:\s*{_TAG})+|(?:{_TAG}\s*)+\Z", re.IGNORECASE)
# Our own tags, a turn of a made-up dialogue, or our own request, in the middle of the text.
_SCAFFOLDING = re.compile(
    rf"{_TAG}|^\s*(?:User|Human|Assistant|System)\s*:|"
    r"^\s*(?:Rewrite|Revise) the (?:answer|response)\b",
    re.IGNORECASE | re.MULTILINE,
)
_LEAK = re.compile(
    rf"\b{_REVISION} (?:response|answer|version|reply|text)\b|"
    r"\b(?:the|this|your) (?:critique|revision)\b|"
    r"\bas (?:the critique|you) (?:suggest|request)ed\b",
    re.IGNORECASE,
)
_DECLINES = re.compile(
    r"\A\W*(?:(?:i'?m|i am|i\u2019m) (?:sorry|afraid)\W+(?:but )?)?(?:as an ai[^.,]{0,40}, )?"
    r"i (?:can(?:no|['\u2019])t|can not|am (?:not able|unable) to|won['\u2019]t|will not)\s+"
    r"(?:\w+\s+){0,3}?(?:revis|rewrit|critiqu|edit|modif|rephras)\w*",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?\u2026]['\")\]\u201d\u2019*]*(?=\s|\Z)")
_LIST_NUMBER = re.compile(r"(?:\A|\n)\s*\d{1,3}\.\Z")


def strip_scaffolding(text: str) -> tuple[str, str]:
    """Cut off "Here is a revised response:" and its kin, and our own tags around the text.

    Returns:
        The remaining text and what was cut off, both without outer white space; pieces from both
        ends are joined by an ellipsis.
    """
    rest = text.strip()
    pieces = []
    for found in _OUTER_TAGS.findall(rest):
        pieces.append(found.strip())
        rest = rest.removeprefix(found).removesuffix(found).strip()
    preamble, rest = _cut_preamble(rest)
    return rest, " \N{HORIZONTAL ELLIPSIS} ".join([*([preamble] if preamble else []), *pieces])


def _cut_preamble(text: str) -> tuple[str, str]:
    rest = text
    for pattern in (_PREAMBLE, _HEADING):
        found = pattern.match(rest)
        if found:
            rest = rest[found.end() :]
    cut = text[: len(text) - len(rest)].strip()
    rest = rest.strip()
    if cut and len(rest) > 1 and rest[0] == rest[-1] == '"':
        # The announced text was put in quotation marks; they are no part of it.
        rest = rest[1:-1].strip()
    return cut, rest


def leaks_revision(text: str) -> bool:
    """Whether the text shows that it is a revision.

    It talks about that in its first or last 200 characters, or it holds our tags, our request or a
    made-up turn of the dialogue anywhere.
    """
    near_the_ends = _LEAK.search(text[:200]) or _LEAK.search(text[-200:])
    return bool(near_the_ends or _SCAFFOLDING.search(text))


def declines_to_revise(text: str) -> bool:
    """Whether the text says that it will not revise."""
    return bool(_DECLINES.match(text))


def same_text(first: str, second: str) -> bool:
    """Whether two texts differ in no more than white space, letter case and outer punctuation."""
    return _folded(first) == _folded(second)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" \"'.!*")


def trim_to_sentence(text: str) -> str:
    """Cut a truncated text back to its last whole sentence; empty when there is none.

    The number of a list item ("2.") does not end a sentence.
    """
    end = 0
    for found in _SENTENCE_END.finditer(text):
        if not _LIST_NUMBER.search(text[: found.start() + 1]):
            end = found.end()
    return text[:end].strip()
