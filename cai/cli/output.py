"""Writing to the terminal. Model output is untrusted: it must not move the cursor or hide text."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["console", "error_console", "is_terminal", "plain", "safe"]

# C0 and C1 controls but newline and tab, DEL, bidirectional overrides and isolates, zero-width
# and line-separator characters, interlinear annotations, tag characters, and lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)


def safe(text: str) -> Text:
    """Untrusted text for rich: no control characters; markup and `:emoji:` stay as written."""
    from rich.text import Text

    return Text(plain(text))


def plain(text: str) -> str:
    """Untrusted text without control characters, for output that rich does not interpret."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def is_terminal() -> bool:
    """Whether progress can be drawn, that is, standard error is a terminal."""
    return sys.stderr.isatty()


@cache
def console() -> Console:
    """Standard output."""
    from rich.console import Console

    return Console(highlight=False)


@cache
def error_console() -> Console:
    """Standard error: progress and messages."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)
