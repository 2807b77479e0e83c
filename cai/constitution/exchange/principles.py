"""From entries of a foreign file to principles: ids, and wordings that are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.constitution.exchange.derive import completed, with_text
from cai.constitution.exchange.ids import ids_of
from cai.constitution.exchange.layouts import LAYOUTS
from cai.constitution.principle import Principle
from cai.errors import InputError
from cai.wording import counted, listed
from cai.yaml import parse_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.exchange.draft import Entry, Votes
    from cai.constitution.exchange.layouts import Layout

__all__ = ["Taken", "principles_of"]


@dataclass(frozen=True, slots=True)
class Taken:
    """A principle, the entry that it is from, and which of its wordings were made."""

    principle: Principle
    entry: Entry
    text_from: str
    """The wording that the text was made from, or nothing."""
    generic: tuple[str, ...]
    """Wordings that say no more than the text."""


def principles_of(
    entries: Sequence[Entry], layout: Layout, *, complete: bool = False
) -> list[Taken]:
    """Principles with ids and texts; where they are from goes into no field of theirs.

    Raises:
        InputError: an entry makes no principle, for example by its weight.
    """
    ids = ids_of(entries, LAYOUTS[layout].prefix)
    return [_taken(one, entry, complete) for one, entry in zip(ids, entries, strict=True)]


def _taken(one: str, entry: Entry, complete: bool) -> Taken:
    whole, text_from = with_text(entry)
    whole, generic = completed(whole, text_from) if complete else (whole, ())
    notes = [
        entry.note,
        _vote_note(entry.votes),
        f"'text' is made from '{text_from}' by a fixed pattern; reword it." if text_from else "",
        f"Generic, and not by the author: {listed(generic)}." if generic else "",
    ]
    data = {
        "id": one,
        "text": whole.text,
        "critique": whole.critique,
        "revise": whole.revise,
        "judge": whole.judge,
        "tags": whole.tags,
        "weight": whole.weight,
        "note": " ".join(filter(None, notes)),
    }
    principle = parse_model(Principle, data, entry.where, InputError)
    return Taken(principle, entry, text_from, generic)


def _vote_note(votes: Votes | None) -> str:
    if votes is None:
        return ""
    both = counted(votes.agreed + votes.disagreed, "vote")
    share = f" ({votes.share:.0%})" if votes.share is not None else ""
    whom = votes.reference
    return f"Agreed with {whom} in {votes.agreed:,} of {both}{share}; {votes.without:,} without."
