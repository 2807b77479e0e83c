"""Text of models as text: what acts or cannot be seen is replaced by a sign for it."""

from __future__ import annotations

import re

__all__ = ["cut", "visible"]

# Controls but newline and tab, marks that change the direction of what follows, invisible and tag
# characters, lone surrogates. Joiners (U+200C, U+200D) stay: Persian and emoji need them.
_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)


def visible(text: str) -> str:
    """The text with a sign such as `␛` or `⟦U+202E⟧` in place of every character that acts.

    A text that went through it once stays as it is.
    """
    return _ACTING.sub(_sign, text.replace("\r\n", "\n"))


def cut(text: str, most: int) -> tuple[str, int]:
    """The visible beginning of a text, and how many of its characters are left out.

    Args:
        text: as it was written.
        most: characters to show; a sign for a character counts as what it takes.
    """
    shown = visible(text[:most])
    if len(text) <= most and len(shown) <= most:
        return shown, 0
    if len(shown) <= most:
        return shown, len(text) - most
    # Signs take more room: take as many characters as fit.
    kept, used = 0, 0
    for character in text[:most]:
        used += len(visible(character))
        if used > most:
            break
        kept += 1
    return visible(text[:kept]), len(text) - kept


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\u27e6U+{code:04X}\u27e7"
