"""Writing a text so that a filter for words does not see it."""

from __future__ import annotations

import base64
import codecs
from typing import Literal

__all__ = ["Encoding", "encode"]

Encoding = Literal["none", "base64", "rot13", "leet", "zero-width", "entities", "full-width"]

_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def encode(text: str, encoding: Encoding) -> str:
    """The text in an encoding."""
    match encoding:
        case "base64":
            return base64.b64encode(text.encode()).decode()
        case "rot13":
            return codecs.encode(text, "rot13")
        case "leet":
            return text.translate(_LEET)
        case "zero-width":
            return "\N{ZERO WIDTH SPACE}".join(text)
        case "entities":
            return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        case "full-width":
            return text.translate(_FULL_WIDTH)
        case "none":
            return text
