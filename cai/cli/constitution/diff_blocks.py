"""A diff as blocks of labelled texts, for a terminal and for Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cai.constitution.diff import Run, facts, needed_bump, selector_text, word_diff
from cai.constitution.release import fact_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cai.constitution import Principle
    from cai.constitution.diff import Diff, FieldChange

__all__ = ["Block", "blocks", "heading", "summary"]

_NAMES = ("name", "version")


@dataclass(frozen=True, slots=True)
class Block:
    """What happened to one principle, or to the whole."""

    sign: Literal["+", "-", "~"]
    title: str
    rows: tuple[tuple[str, tuple[Run, ...]], ...]
    """Label and text."""


def heading(change: Diff) -> str:
    """Both sides and what the change asks for, on one line."""
    before, after = change.before, change.after
    if change.empty:
        asks = "no difference"
    elif change.same_meaning:
        asks = "patch, and no model can tell the difference"
    else:
        asks = f"{needed_bump(change)}, hash {before.hash[:12]} → {after.hash[:12]}"
    return f"{before.label} → {after.label}: {asks}"


def summary(change: Diff) -> list[str]:
    """The heading, and a line for each change."""
    return [heading(change), *fact_lines(facts(change))]


def blocks(change: Diff) -> Iterator[Block]:
    """Details: the whole first, then what is new, gone and changed, each by id."""
    whole = [field for field in change.whole if field.field not in _NAMES]
    if whole:
        yield Block("~", "the constitution", tuple(map(_row, whole)))
    for principle in change.added:
        yield Block("+", principle.id, tuple(_wordings(principle)))
    for principle in change.removed:
        yield Block("-", principle.id, tuple(_wordings(principle)))
    for one in change.changed:
        title = f"{one.before.id} → {one.after.id}" if one.renamed else one.after.id
        yield Block("~", title, tuple(map(_row, one.fields)))


def _wordings(principle: Principle) -> Iterable[tuple[str, tuple[Run, ...]]]:
    for field, value in principle:
        if field != "id" and value != type(principle).model_fields[field].get_default():
            yield field, (Run("same", _as_text(value)),)


def _row(change: FieldChange) -> tuple[str, tuple[Run, ...]]:
    return change.field, word_diff(_as_text(change.before), _as_text(change.after))


def _as_text(value: Any) -> str:
    """A value as a person would write it down; the parts of a list on lines of their own."""
    from cai.constitution.principle import Example, Level, Proposition, Selector

    if isinstance(value, Selector):
        return selector_text(value)
    if isinstance(value, Proposition):
        return f"{value.weight:+g}: {value.text}"
    if isinstance(value, Level):
        return f"{value.score}: {value.text}"
    if isinstance(value, Example):
        return f"{value.prompt}\nbetter: {value.better}\nworse: {value.worse}"
    if isinstance(value, tuple):
        short = all(isinstance(inner, str) for inner in value)
        return ", ".join(value) if short else "".join(f"\n{_as_text(inner)}" for inner in value)
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)
