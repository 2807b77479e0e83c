"""Keeping quoted text quoted: harmless delimiters, and codes that an answer cannot know.

`neutralise` is for every template. `disarm` goes further and is for judges, whose verdict an answer
may try to write itself: it also sees delimiters that are disguised (attributes, full-width letters,
invisible characters, HTML entities) and lines that pose as a turn or a verdict. Both are a single
substitution, so what they put in is never looked at again, and doing them twice changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING

from cai.hashing import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["disarm", "make_nonce", "neutralise", "new_secret"]

_MARK = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"
_QUOTE = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "
_DIGITS = 12
"""Of a nonce: 48 bits. An answer has one guess; more digits cost tokens in each request."""

# The structural tags of the templates, message openers, and the control tokens of chat formats
# (<|im_start|> …). A bare << stays: it is an operator in code, and revisions copy what they see.
_STRUCTURE = re.compile(
    r"<(?=\s*/?\s*(?:conversation|response|answer|critique|principle|revision)[\w\s]*>|\|"
    r"|<(?:system|user|assistant|conversation)>)",
    re.IGNORECASE,
)

# Characters that are not seen: zero-width ones, soft hyphens, marks and overrides of direction.
_UNSEEN = (
    r"\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    r"\ufe00-\ufe0f\ufeff"
)
_GAP = rf"[\s{_UNSEEN}]*+"
_PIPE = r"[|\uff5c]"


def _words(*texts: str) -> str:
    """A pattern for words in ordinary or full-width letters, with unseen characters in them."""
    return "(?:" + "|".join(f"[{_UNSEEN}]*".join(map(_letter, text)) for text in texts) + ")"


def _letter(one: str) -> str:
    return f"[{one}{chr(ord(one) + 0xFEE0)}]" if one.isalpha() else one


# `<` as it is, in its other widths, and as HTML, URLs, JSON and Python escape it.
_OPEN = r"(?:[<\uff1c\ufe64]|&(?:lt|\#0*60|\#x0*3c);?|%3c|\\u003c|\\x3c)"
_CLOSE = r"(?:[>\uff1e\ufe65]|&(?:gt|\#0*62|\#x0*3e);?|%3e|\\u003e|\\x3e)"
_SLASH = rf"(?:(?:[/\uff0f\u2044\u2215]|&(?:sol|\#0*47|\#x0*2f);|%2f|\\/){_GAP})?"
_TAGS = _words(
    *("conversation", "response", "critique", "principle", "revision", "assistant", "system"),
    *("answer", "instruction", "verdict", "judge", "think"),
)
# Names go on as in `answer_a`; then come a code or attributes. Parts that have a character in
# common with the next one are possessive (`*+`), so that no text makes the search slow.
_REST = (
    rf"[\w\uff3f{_UNSEEN}-]*+(?:\s+[\w:.-]+(?:=(?:\"[^\"<>]*\"|'[^'<>]*'|[\w:.-]+))?)*{_GAP}"
    rf"(?:[/\uff0f]\s?)?{_CLOSE}"
)
# Of these, capitals are type parameters in code (List<S>).
_CONTROL = r"(?-i:/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn))>"
_OPENERS = rf"{_OPEN}{_SLASH}(?:system|user|assistant|conversation|sys){_CLOSE}"
_DISGUISED = (
    rf"(?P<open>{_OPEN})(?={_GAP}{_SLASH}{_TAGS}{_REST}|[{_UNSEEN}]*+{_PIPE}|{_CONTROL}|{_OPENERS})"
    rf"|(?P<bracket>\[)(?={_GAP}/?{_GAP}{_words('inst', 'sys', 'system')}\s?\])"
)
# Lines that pose as a turn of a conversation, as a heading of an instruction format, or as what a
# judge replies. Marks of Markdown and quotes may stand before them.
_BEGIN = r"(?:^|(?<=[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]))"
_MARKS = rf"[ \t\u00a0\u3000>*_#\"'`~{{{_UNSEEN}-]*+"
_COLON = r"[*_\"']*\s?[:\uff1a]"
# In small letters such words are keys in YAML and headers.
_ROLE = r"(?-i:(?=[A-Z\uff21-\uff3a]))" + _words(
    *("system", "user", "assistant", "human", "judge", "ai", "instruction", "developer")
)
_SAID = r"(?:verdict|winner|judge?ment|decision|final answer)"
_RATED = r"(?:score|rating|grade)"
_LINES = (
    rf"(?P<line>{_BEGIN}(?=[ \t]*\#\#\#[ \t]*(?:instruction|response|input)[ \t]*$|{_MARKS}(?:"
    rf"{_ROLE}(?: [\w()]+)?[*_]*\s?[:\uff1a]|(?:assistant|system|user)[ \t]*$"
    rf"|(?:(?:the|my|final|overall) )*(?:{_SAID}(?: is)?{_COLON}\s?(?-i:[*_\"'(\[]*[AB12])\b"
    rf"|{_RATED}(?: is)?{_COLON}\s?[*_\"']*\d)"
    rf"|(?-i:[(\[]*+[*_]*+[AB][)\]*_]+[.!]?[ \t]*$))))"
)
_FLAGS = re.IGNORECASE | re.MULTILINE
_SPANS = re.compile(_DISGUISED, _FLAGS)
_SPANS_AND_LINES = re.compile(f"{_DISGUISED}|{_LINES}", _FLAGS)


def neutralise(text: str) -> str:
    """Make structural delimiters inside untrusted text harmless, and change nothing else.

    The `<` of our tags, of `<<user>>` and of chat control tokens becomes U+2039, which reads
    the same to people and models but delimits nothing.
    """
    return _STRUCTURE.sub(_MARK, text)


def disarm(text: str, *, lines: bool = True) -> str:
    """The same for delimiters in disguise, and for lines that pose as a turn or a verdict.

    Such lines (`System: …`, `Verdict: A`, `(A)` alone) get U+203A before them, as a quotation has.

    Args:
        text: written by whoever is judged.
        lines: look at lines, too; not for a transcript, whose turns begin like that.
    """
    return (_SPANS_AND_LINES if lines else _SPANS).sub(_harmless, text)


def _harmless(found: re.Match[str]) -> str:
    return _QUOTE if found.lastgroup == "line" else _MARK


def new_secret() -> bytes:
    """32 random bytes, the key of a run's nonces."""
    return secrets.token_bytes(32)


def make_nonce(secret: bytes, texts: Iterable[str]) -> str:
    """The code in the delimiters around `texts`: 12 hexadecimal digits that none of them holds.

    HMAC-SHA256 (RFC 2104) of the texts, in whatever order they are given: the same question always
    has the same code, both orders of two answers share it, and a code that came to light with one
    question is of no use in another.

    Args:
        secret: of the run.
        texts: all that is quoted in the question.
    """
    quoted = sorted(texts)
    for attempt in range(1 << 16):
        message = canonical_json([attempt, quoted])
        nonce = hmac.new(secret, message, hashlib.sha256).hexdigest()[:_DIGITS]
        if not any(nonce in text for text in quoted):
            return nonce
    raise AssertionError("no text holds so many codes")
