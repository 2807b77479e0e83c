"""Tables of a comparison: plain texts, for a terminal and for Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.validation.statistics.intervals import Interval

__all__ = ["Sheet", "cell", "render_markdown", "spread"]

_LONG = 60


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table under a heading, with remarks below; columns in `numbers` are aligned right."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    numbers: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()


def cell(value: Any) -> str:
    """A value of a config on one short line."""
    if value is None:
        return "default"
    text = str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}\N{HORIZONTAL ELLIPSIS}"


def spread(found: Interval | None, unit: str, *, difference: bool = False) -> str:
    """An estimate with its interval: shares in per cent, their differences in points."""
    if found is None:
        return "too few"
    sign = "+" if difference else ""
    values = found.estimate, found.low, found.high
    if unit == "share":
        mid, low, high = (f"{100 * value:{sign}.1f}" for value in values)
        percent = "" if difference else "%"
        return f"{mid}{percent} [{low}, {high}]"
    mid, low, high = (f"{value:{sign},.1f}" for value in values)
    return f"{mid} [{low}, {high}]"


def render_markdown(title: str, sheets: Iterable[Sheet]) -> str:
    """The tables as Markdown, in which texts of users and models stay texts."""
    from cai.store.card import markdown

    lines = [f"# {markdown(title)}", ""]
    for sheet in sheets:
        lines += [f"## {markdown(sheet.title)}", ""]
        if sheet.rows:
            marks = ("---:" if i in sheet.numbers else "---" for i in range(len(sheet.columns)))
            lines.append(f"| {' | '.join(str(markdown(one)) for one in sheet.columns)} |")
            lines.append(f"| {' | '.join(marks)} |")
            lines += [f"| {' | '.join(str(markdown(one)) for one in row)} |" for row in sheet.rows]
            lines.append("")
        lines += [f"- {markdown(note)}" for note in sheet.notes]
        lines += [""] if sheet.notes else []
    return "\n".join(lines).rstrip() + "\n"
