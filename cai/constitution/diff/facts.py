"""Single changes, each with a sentence about it and the bump that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal, get_args

from cai.constitution.diff.parts import applies_to, examples, propositions, rubric
from cai.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cai.constitution.diff.records import Diff, FieldChange, PrincipleChange

__all__ = ["BUMPS", "Bump", "Fact", "Kind", "facts", "needed_bump"]

Bump = Literal["patch", "minor", "major"]
Kind = Literal[
    "principle added",
    "principle removed",
    "principle renamed",
    "wording",
    "use added",
    "use removed",
    "weight",
    "tag added",
    "tag removed",
    "applies_to",
    "proposition added",
    "proposition removed",
    "proposition weight",
    "proposition sign",
    "rubric level added or removed",
    "rubric level moved",
    "examples",
    "examples swapped",
    "priorities",
    "aggregate",
    "origin",
    "notes",
    "layout",
]

BUMPS: Mapping[Kind, Bump] = {
    "principle removed": "major",
    "principle renamed": "major",
    "use removed": "major",
    "tag removed": "major",
    "applies_to": "major",
    "proposition removed": "major",
    "proposition sign": "major",
    "rubric level moved": "major",
    "examples swapped": "major",
    "priorities": "major",
    "aggregate": "major",
    "principle added": "minor",
    "use added": "minor",
    "weight": "minor",
    "tag added": "minor",
    "proposition added": "minor",
    "proposition weight": "minor",
    "rubric level added or removed": "minor",
    "wording": "patch",
    "examples": "patch",
    "origin": "patch",
    "notes": "patch",
    "layout": "patch",
}
"""The least bump for each kind of change.

Major is what breaks somebody's trust: an id or tag that heirs and configs choose by is gone, a
principle no longer has a use, or the same answers win for another reason. Minor is what adds to the
mix or shifts it; one more principle does so, and so does a weight. Patch is other words for the
same. Whether other words mean the same no program can know: an author who means something else
raises the bump.
"""

_WORDINGS = ("text", "critique", "revise", "judge")
_FOR_PEOPLE = ("framing", "source", "note")
_LONGEST = 400
"""Characters of a sentence."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One change."""

    kind: Kind
    principle_id: str
    """The principle it is about, by its id after the change; empty for the whole."""
    sentence: str
    """For people and the changelog: one sentence on one line."""

    @property
    def bump(self) -> Bump:
        """The least bump that the change asks for."""
        return BUMPS[self.kind]


def needed_bump(change: Diff) -> Bump | None:
    """The least bump that a diff asks for; None when nothing differs but name and version."""
    found = {fact.bump for fact in facts(change)}
    return max(found, key=get_args(Bump).index, default=None)


def facts(change: Diff) -> tuple[Fact, ...]:
    """All changes but those of name and version, one by one, in a fixed order.

    Every difference is in one of them: there is no fact exactly when the diff is `empty`.
    """
    found = [
        *(
            Fact("principle added", p.id, f"Added '{p.id}': {shorten(p.text, 160)}")
            for p in change.added
        ),
        *(Fact("principle removed", p.id, f"Removed '{p.id}'.") for p in change.removed),
        *(fact for one in change.changed for fact in _principle(one)),
        *_whole(change),
        *_origins(change),
    ]
    return tuple(Fact(f.kind, f.principle_id, shorten(f.sentence, _LONGEST)) for f in found)


def _principle(change: PrincipleChange) -> Iterator[Fact]:
    one, fields = change.after.id, {field.field: field for field in change.fields}
    if change.renamed:
        yield Fact("principle renamed", one, f"Renamed '{change.before.id}' to '{one}'.")
    worded = [f for f in _WORDINGS if f in fields and fields[f].before and fields[f].after]
    if worded:
        yield Fact("wording", one, f"Reworded '{one}' ({listed(worded)}).")
    for field in (fields[f] for f in _WORDINGS if f in fields and f not in worded):
        yield _use(one, field)
    if "weight" in fields:
        old, new = fields["weight"].before, fields["weight"].after
        yield Fact("weight", one, f"Gave '{one}' the weight {new:g} in place of {old:g}.")
    if "tags" in fields:
        yield from _tags(one, fields["tags"])
    for name, part in _PARTS.items():
        if name in fields:
            told = [Fact(*pair) for pair in part(one, fields[name].before, fields[name].after)]
            yield from told or [Fact("layout", one, f"Wrote '{name}' of '{one}' in another order.")]
    noted = [f for f in _FOR_PEOPLE if f in fields]
    if noted:
        yield Fact("notes", one, f"Changed what people read about '{one}' ({listed(noted)}).")


_PARTS: Mapping[str, Callable[[str, Any, Any], Iterator[tuple[Kind, str, str]]]] = {
    "applies_to": applies_to,
    "rubric": rubric,
    "propositions": propositions,
    "examples": examples,
}


def _use(one: str, change: FieldChange) -> Fact:
    if change.after:
        return Fact("use added", one, f"Gave '{one}' a wording for '{change.field}'.")
    return Fact("use removed", one, f"Took the wording for '{change.field}' from '{one}'.")


def _tags(one: str, change: FieldChange) -> Iterator[Fact]:
    old, new = set(change.before), set(change.after)
    if old == new:
        yield Fact("layout", one, f"Wrote 'tags' of '{one}' in another order.")
    if new - old:
        yield Fact("tag added", one, f"Tagged '{one}' with {listed(sorted(new - old))}.")
    if old - new:
        yield Fact("tag removed", one, f"Took from '{one}' the tags {listed(sorted(old - new))}.")


def _whole(change: Diff) -> Iterator[Fact]:
    fields = {field.field: field for field in change.whole}
    worded = [f for f in ("preamble", "summary") if f in fields]
    if worded:
        yield Fact("wording", "", f"Reworded the constitution's {listed(worded)}.")
    if "priorities" in fields:
        now = f"What goes first: {listed(fields['priorities'].after)}."
        if change.reordered:
            yield Fact("priorities", "", f"Changed the priorities. {now}")
        else:
            yield Fact("layout", "", f"Wrote the priorities in another way. {now}")
    elif change.reordered:
        yield Fact("priorities", "", "Other tags or ids change which principles go first.")
    if "aggregate" in fields:
        old, new = fields["aggregate"].before, fields["aggregate"].after
        said = f"Verdicts are put together by '{new or 'what a config says'}'"
        yield Fact("aggregate", "", f"{said} in place of '{old or 'what a config says'}'.")


def _origins(change: Diff) -> Iterator[Fact]:
    """One fact for all principles that went the same way, as to a newer parent."""
    moves = sorted((o.before or "nowhere", o.after or "nowhere", o.id) for o in change.reparented)
    for (old, new), group in groupby(moves, key=lambda move: move[:2]):
        ids = [one for _, _, one in group]
        about = f"'{ids[0]}'" if len(ids) == 1 else counted(len(ids), "principle")
        yield Fact("origin", "", f"Took {about} from '{new}' in place of '{old}'.")
