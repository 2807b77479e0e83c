"""Plain text: a principle on each line, or after each bullet.

Where a file has bullets (`-`, `*`, `+`, `•`, `1.`, `1)`), each is a principle; indented lines
below belong to it, and other lines are passed over. Without bullets, each line is a principle. A
line that begins with `#` is a heading, and its words are a tag of the principles below it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from cai.constitution.exchange.draft import Draft, Entry, Written
from cai.constitution.exchange.headings import Headings
from cai.constitution.exchange.source import wording
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.exchange.draft import Beside
    from cai.constitution.exchange.source import Source
    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle

__all__ = ["SHAPE", "read", "write"]

SHAPE = "lines or bullets, each a principle, under headings that begin with '#'"
_BULLET = re.compile(r"\s*(?:[-*+\u2022]|\d{1,4}[.)])\s+(\S.*)")
_HEADING = re.compile(r"(#{1,6})\s+(\S.*)")
_RULE = re.compile(r"\s*(?:[-=*_]\s*){3,}")


def read(source: Source) -> Draft:
    """Read the principles.

    Raises:
        InputError: a line is too long, or holds control characters.
    """
    lines = [(n, line) for n, line in enumerate(source.text.split("\n"), 1)]
    lines = [(n, line) for n, line in lines if line.strip() and not _RULE.fullmatch(line)]
    bulleted = any(_BULLET.fullmatch(line) for _, line in lines)
    headings, title = Headings(), _title([line for _, line in lines])
    entries: list[Entry] = []
    passed: list[str] = []
    for number, line in lines:
        heading, bullet = _HEADING.fullmatch(line), _BULLET.fullmatch(line)
        if heading:
            if line != title:
                headings.enter(len(heading[1]), _named(heading[2]))
            passed.append("")
        elif bullet or not bulleted:
            text = bullet[1] if bullet else line
            text = wording(source, f"line {number}", text)
            tags, group = headings.tags, headings.nearest
            entries.append(Entry(f"line {number}", text=text, tags=tags, group=group))
            passed.append("")
        elif line[0].isspace() and entries and not passed[-1]:
            last = entries[-1]
            longer = wording(source, last.where, f"{last.text} {line.strip()}")
            entries[-1] = replace(last, text=longer)
        else:
            passed.append(line.strip())
    prose = [line for line in passed if line]
    named = _HEADING.fullmatch(title)
    summary = wording(source, "the title", _named(named[2])) if named else ""
    return Draft(tuple(entries), warnings=_passed_over(prose), summary=summary)


def _title(lines: Sequence[str]) -> str:
    """The first line where it is the only heading of the first level: the name of it all."""
    first = [line for line in lines if line.startswith("# ")]
    return first[0] if len(first) == 1 and lines[0] == first[0] else ""


def _named(heading: str) -> str:
    """The words of a heading, without signs that close it."""
    return heading.rstrip().rstrip("#").rstrip() or heading.strip()


def _passed_over(prose: Sequence[str]) -> tuple[str, ...]:
    if not prose:
        return ()
    first = f"the first being '{prose[0][:60]}'"
    return (f"{counted(len(prose), 'line')} outside bullets passed over, {first}.",)


def write(principles: Sequence[Principle], _beside: Beside, _whole: Constitution) -> Written:
    """Write the texts alone, each after a bullet on one line."""
    text = "".join(f"- {' '.join(p.text.split())}\n" for p in principles)
    return Written(text, tuple(principles))
