"""Markdown: each bullet is a principle, and the headings above it are its tags.

A title (a first line that is the only heading of the first level) is no tag; the paragraph below it
is the summary. A bullet may begin with its id in bold, and bullets inside it that begin with
`Critique:`, `Revise:`, `Judge:`, `Weight:` or `Note:` belong to it. Without bullets, each paragraph
is a principle. Other text is passed over, with a warning. Emphasis and links become plain words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cai.constitution.exchange.draft import Draft, Entry, Written
from cai.constitution.exchange.markdown_items import LABELS, Walk
from cai.constitution.exchange.source import broken, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.exchange.draft import Beside
    from cai.constitution.exchange.markdown_items import Item
    from cai.constitution.exchange.source import Source
    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle

__all__ = ["SHAPE", "read", "write"]

SHAPE = "bullets, each a principle, under headings"
_ANYWHERE = re.compile(r"[\\`*_\[\]<&]")
_AT_START = re.compile(r"^(?=[#>+=~-])|^(\d+)(?=[.)])")


def read(source: Source) -> Draft:
    """Read the principles.

    Raises:
        InputError: a wording is too long or holds control characters, or a weight is no number.
    """
    from markdown_it import MarkdownIt

    walk = Walk(MarkdownIt("commonmark").parse(source.text))
    entries = tuple(_entry(source, item) for item in walk.items)
    said = walk.summary or walk.title
    summary = wording(source, "the summary", said) if said else ""
    return Draft(entries, warnings=walk.warnings(), summary=summary)


def _entry(source: Source, item: Item) -> Entry:
    where = f"line {item.line}"
    worded = {
        label: wording(source, f"{where}, {label}", text) for label, text in item.labels.items()
    }
    weight = worded.pop("weight", "1")
    try:
        number = float(weight)
    except ValueError as error:
        raise broken(
            source, f"{where}, weight", repr(weight[:40]), "a number above 0", "Correct it."
        ) from error
    return Entry(
        where,
        text=wording(source, where, item.text),
        key=item.key,
        group=item.group,
        tags=item.tags,
        weight=number,
        critique=worded.get("critique", ""),
        revise=worded.get("revise", ""),
        judge=worded.get("judge", ""),
        note=worded.get("note", ""),
    )


def write(principles: Sequence[Principle], _beside: Beside, whole: Constitution) -> Written:
    """Write every wording, grouped by tags; principles without tags come first."""
    groups: dict[tuple[str, ...], list[Principle]] = {(): []}
    for p in principles:
        groups.setdefault(p.tags, []).append(p)
    lines = [f"# {whole.name} {whole.version}", "", _inline(" ".join(whole.summary.split()), 0), ""]
    for tags, members in groups.items():
        lines += [f"## {', '.join(tags)}", ""] if tags else []
        for p in members:
            lines += _bullets(p)
        lines += [""] if members else []
    written = tuple(p for members in groups.values() for p in members)
    return Written("\n".join(lines).rstrip("\n") + "\n", written)


def _bullets(principle: Principle) -> list[str]:
    said = {label: getattr(principle, label) for label in LABELS if label != "weight"}
    if principle.weight != 1:
        said["weight"] = f"{principle.weight!r}"
    return [
        f"- **{principle.id}**: {_inline(principle.text, 2)}",
        *(f"  - {label.capitalize()}: {_inline(text, 4)}" for label, text in said.items() if text),
    ]


def _inline(text: str, indent: int) -> str:
    """A text whose signs mean themselves, with its line breaks."""
    lines = (_ANYWHERE.sub(r"\\\g<0>", line) for line in text.split("\n"))
    return f"\\\n{' ' * indent}".join(_AT_START.sub(_escaped_start, line) for line in lines)


def _escaped_start(found: re.Match[str]) -> str:
    # Before a sign comes the backslash; after a number it comes before the full stop.
    return f"{found[1]}\\" if found[1] else "\\"
