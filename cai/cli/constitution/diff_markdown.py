"""A diff as Markdown, for the description of a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cai.cli.constitution.diff_blocks import blocks, heading
from cai.cli.output import plain
from cai.constitution.diff import facts
from cai.store.card import markdown

if TYPE_CHECKING:
    from cai.constitution.diff import Diff, Run

__all__ = ["diff_markdown"]

_TAGS = {"same": "{}", "removed": "<del>{}</del>", "added": "<ins>{}</ins>"}
_SIGNS = {"+": "Added", "-": "Removed", "~": "Changed"}
_CALLS = re.compile(r"((?<!\w)\\@|#|\bGH-)(?=\w)", re.IGNORECASE)
"""`@name` and `#12` in somebody's words would notify people and link to issues."""


def diff_markdown(change: Diff) -> str:
    """A heading, one line for each change, and the words in a part that folds away."""
    lines = [f"### {_escaped(heading(change))}", ""]
    lines += [f"- **{fact.bump}** {_escaped(fact.sentence)}" for fact in facts(change)]
    details = list(blocks(change))
    if details:
        lines += ["", "<details><summary>Word by word</summary>", ""]
    for block in details:
        lines.append(f"**{_SIGNS[block.sign]} {_escaped(block.title)}**")
        lines += ["", *(f"- {label}: {_text(runs)}" for label, runs in block.rows), ""]
    if details:
        lines.append("</details>")
    return "\n".join(lines).rstrip() + "\n"


def _text(runs: tuple[Run, ...]) -> str:
    return "".join(_TAGS[run.kind].format(_kept(run.text)) for run in runs)


def _kept(text: str) -> str:
    """Escaped, with the spaces and line breaks that it has."""
    parts = (_escaped(part) for part in re.split(r"\s*\n\s*", text))
    inner = "<br>".join(parts)
    before = " " if text[:1] in (" ", "\t") else ""
    after = " " if text.strip() and text[-1:] in (" ", "\t") else ""
    return f"{before}{inner}{after}"


def _escaped(text: str) -> str:
    return _CALLS.sub("\\1\N{ZERO WIDTH SPACE}", str(markdown(plain(text))))
