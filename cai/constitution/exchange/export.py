"""From a constitution to a foreign layout, and what that layout has no place for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.constitution.exchange.draft import Beside
from cai.constitution.exchange.layouts import LAYOUTS
from cai.constitution.exchange.principles import principles_of
from cai.constitution.exchange.source import Source
from cai.errors import InputError
from cai.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cai.constitution.exchange.draft import Chat, Question, Written
    from cai.constitution.exchange.layouts import Layout
    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle

__all__ = ["Exported", "export_constitution"]

_SHOWN = 3
_FIELDS = (
    *("text", "critique", "revise", "judge", "tags", "weight", "applies_to", "rubric"),
    *("propositions", "examples", "framing", "source", "note"),
)
_WHOLE = ("preamble", "priorities", "aggregate")


@dataclass(frozen=True, slots=True)
class Exported:
    """A file in a foreign layout, and what could not go into it."""

    text: str
    warnings: tuple[str, ...]


def export_constitution(
    constitution: Constitution,
    layout: Layout,
    *,
    order: Sequence[str] = (),
    chats: Sequence[Chat] = (),
    questions: Mapping[str, Sequence[Question]] | None = None,
) -> Exported:
    """Write a constitution in a foreign layout.

    The result is read back, and what then differs is named in a warning.

    Args:
        constitution: with every principle in place.
        layout: one of `LAYOUTS`.
        order: ids in the order in which they are written; others come first, by id.
        chats: few-shot chats, for llm-swarm.
        questions: by the principle's id, for open-character.

    Raises:
        InputError: no principle has what the layout needs.
    """
    places = {one: place for place, one in enumerate(order)}
    principles = sorted(constitution.principles, key=lambda p: (places.get(p.id, -1), p.id))
    asked = questions or {}
    written = LAYOUTS[layout].write(principles, Beside(chats, asked), constitution)
    if not written.principles:
        raise InputError(
            f"{constitution.label}: no principle has both 'critique' and 'revise', which the "
            f"layout {layout} consists of. Write them, or choose text, markdown or icai."
        )
    stray = sum(len(some) for one, some in asked.items() if one not in constitution)
    warnings = [
        *written.warnings,
        *(
            [f"{counted(stray, 'question')} whose tag names no principle left out."]
            if stray
            else []
        ),
        *_left_out(constitution, written),
        *_whole_lost(constitution),
        *_changed(written, layout),
    ]
    return Exported(written.text, tuple(warnings))


def _left_out(constitution: Constitution, written: Written) -> list[str]:
    kept = {p.id for p in written.principles}
    gone = [p.id for p in constitution.principles if p.id not in kept]
    if not gone:
        return []
    return [
        f"{counted(len(gone), 'principle')} left out, as incomplete or repeated: {_some(gone)}."
    ]


def _whole_lost(constitution: Constitution) -> list[str]:
    lost = [key for key in _WHOLE if getattr(constitution, key)]
    return [f"Not kept, as the layout has no place for it: {listed(lost)}."] if lost else []


def _changed(written: Written, layout: Layout) -> list[str]:
    """What an import of the written file would give otherwise, by field."""
    draft = LAYOUTS[layout].read(Source("the exported file", written.text))
    read = [taken.principle for taken in principles_of(draft.entries, layout)]
    if len(read) != len(written.principles):
        given = f"{len(written.principles):,} principles were written, {len(read):,} are read back"
        return [f"The layout cannot hold these texts: {given}. Choose another layout."]
    pairs = list(zip(written.principles, read, strict=True))
    lost: list[str] = []
    for field in _FIELDS:
        ids = [old.id for old, new in pairs if _loses(field, old, new)]
        lost += [f"{field} of {_some(ids, len(pairs))}"] if ids else []
    warnings = [f"Not kept, as the layout has no place for it: {'; '.join(lost)}."] if lost else []
    renamed = sum(old.id != new.id for old, new in pairs)
    if renamed:
        warnings.append(
            f"{counted(renamed, 'id')} not kept: this layout has none, and an import makes new "
            "ones from the words."
        )
    return warnings


def _loses(field: str, old: Principle, new: Principle) -> bool:
    says_something = field in old.model_dump(exclude_defaults=True)
    return says_something and getattr(old, field) != getattr(new, field)


def _some(ids: Sequence[str], of: int = 0) -> str:
    if len(ids) == of > _SHOWN:
        return f"all {of:,} principles"
    shown = ", ".join(ids[:_SHOWN])
    return f"{shown} and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else shown
