"""What the influence of principles means, in sentences that the terminal and the page share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.validation.bias.couples import Couple, Relation
    from cai.validation.bias.influence import Effect, Influence

__all__ = ["COUPLES", "EFFECTS", "RELATIONS", "advice"]

EFFECTS = (
    "Changed: share of labels (first, second or tie) that differ when the principle is left out.",
    "Decided: share in which all together name its winner, and would not without it.",
    "Agrees: where both name a winner, share in which it is the same one.",
    "Bits of label: 0 when it always says the same, 1.58 when first, second and tie are as common.",
    "Bits of p: mean entropy, 0 when it is always sure, 1 when p is always one half.",
)
"""The columns of the table of principles."""

COUPLES = (
    "Same winner: share of the pairs in which both name a winner.",
    "Redundant: surely the same in 85% or more, and more often than by what each leans to (κ > 0).",
    "Alike by leaning: as often, because both nearly always favour one side, such as the revision.",
    "Conflict: surely different in more than half, also after correcting for all couples (Holm).",
    "r: correlation of the distances of p from one half.",
)
"""The columns of the table of couples."""

RELATIONS: dict[Relation, str] = {
    "conflict": "conflict",
    "redundant": "redundant",
    "leaning": "alike by leaning",
}

_NAMED = 3
"""Most principles that a sentence lists."""


def advice(found: Influence) -> str:
    """What to do about it; empty where no principle could be left out."""
    return " ".join(_sentences(found)) if found.several else ""


def _sentences(found: Influence) -> Iterator[str]:
    conflicts, redundant = found.related("conflict"), found.related("redundant")
    if conflicts:
        yield (
            f"{_both(conflicts[0])} name different winners more often than the same one"
            f"{_more(conflicts)}: say which goes first (priorities, with aggregate: priority), "
            "limit one with applies_to, or reword it."
        )
    if redundant:
        yield (
            f"{_both(redundant[0])} say nearly the same{_more(redundant)}: leave one out or merge "
            "them, which saves its questions."
        )
    if not found.compared:
        yield (
            f"No two principles both name a winner in {found.least:,} pairs, so none can be called "
            "redundant or in conflict: ask about more pairs."
        )
    elif not conflicts and not redundant:
        yield f"No couple of the {found.compared:,} with enough pairs is surely one or the other."
    if perhaps := [one for one in found.couples if one.perhaps]:
        yield (
            f"{counted(len(perhaps), 'couple')} may be redundant or in conflict, and more pairs "
            "would tell."
        )
    yield from _of_single(found.principles)


def _of_single(effects: tuple[Effect, ...]) -> Iterator[str]:
    top = effects[0]
    if top.changed is None:
        return
    if not top.changed.estimate:
        yield "No label hangs on any single principle."
        return
    yield f"Most hangs on {top.principle}: read its wording and its test cases first."
    idle = [one.principle for one in effects if one.changed and not one.changed.estimate]
    if idle:
        more = f" and {len(idle) - _NAMED:,} more" if len(idle) > _NAMED else ""
        yield f"No label here hangs on {listed(idle[:_NAMED])}{more}."


def _both(couple: Couple) -> str:
    return " and ".join(couple.names)


def _more(couples: tuple[Couple, ...]) -> str:
    others = len(couples) - 1
    return f" (and {counted(others, 'more couple')})" if others else ""
