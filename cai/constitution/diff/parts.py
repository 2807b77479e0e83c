"""What changed in the structured parts of a principle: kinds of change, each with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from cai.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.constitution.principle import Example, Level, Proposition, Selector

__all__ = ["applies_to", "examples", "propositions", "rubric", "selector_text"]

_Kind: TypeAlias = Literal[
    "applies_to",
    "wording",
    "proposition added",
    "proposition removed",
    "proposition weight",
    "proposition sign",
    "rubric level added or removed",
    "rubric level moved",
    "examples",
    "examples swapped",
]
_Told: TypeAlias = "tuple[_Kind, str, str]"


def selector_text(selector: Selector) -> str:
    """A selector in words, such as `prompts with one of code, maths and none of poems`."""
    said = {"one of": selector.any, "all of": selector.all, "none of": selector.none}
    parts = [f"{how} {listed(patterns)}" for how, patterns in said.items() if patterns]
    return f"prompts with {' and '.join(parts)}" if parts else "all prompts"


def applies_to(one: str, before: Selector, after: Selector) -> Iterator[_Told]:
    """The prompts that a principle is for."""
    if any(set(getattr(before, k)) != set(getattr(after, k)) for k in ("any", "all", "none")):
        now, then = selector_text(after), selector_text(before)
        yield "applies_to", one, f"Made '{one}' a principle for {now}; before, for {then}."


def rubric(one: str, before: Sequence[Level], after: Sequence[Level]) -> Iterator[_Told]:
    """What scores stand for."""
    old, new = ({level.score: level.text for level in levels} for levels in (before, after))
    moved = [s for s, text in new.items() if text in old.values() and old.get(s) != text]
    if moved:
        yield "rubric level moved", one, f"Texts of '{one}' stand for other scores: {_some(moved)}."
    for word, scores in (("Added", new.keys() - old.keys()), ("Removed", old.keys() - new.keys())):
        if scores:
            said = f"{word} what scores stand for in '{one}': {_some(scores)}."
            yield "rubric level added or removed", one, said
    worded = {s for s in old.keys() & new.keys() if old[s] != new[s]} - set(moved)
    if worded:
        yield "wording", one, f"Reworded what scores stand for in '{one}': {_some(worded)}."


def propositions(
    one: str, before: Sequence[Proposition], after: Sequence[Proposition]
) -> Iterator[_Told]:
    """Statements: those with equal texts belong together, and the rest in their order."""
    pairs, old = [], list(before)
    new: list[Proposition] = []
    for q in after:
        found = next((p for p in old if p.text == q.text), None)
        if found is None:
            new.append(q)
        else:
            old.remove(found)
            pairs.append((found, q))
    worded = list(zip(old, new, strict=False))
    removed, added = old[len(worded) :], new[len(worded) :]
    if added:
        yield "proposition added", one, f"Added {counted(len(added), 'proposition')} to '{one}'."
    if removed:
        count = counted(len(removed), "proposition")
        yield "proposition removed", one, f"Removed {count} from '{one}'."
    if worded:
        yield "wording", one, f"Reworded {counted(len(worded), 'proposition')} of '{one}'."
    weights = [(p.weight, q.weight) for p, q in (*pairs, *worded) if p.weight != q.weight]
    turned = [pair for pair in weights if _sign(pair[0]) != _sign(pair[1])]
    if turned:
        count = counted(len(turned), "proposition")
        yield "proposition sign", one, f"Turned the sign of {count} of '{one}'."
    if len(weights) > len(turned):
        count = counted(len(weights) - len(turned), "proposition")
        yield "proposition weight", one, f"Changed the weight of {count} of '{one}'."


def examples(one: str, before: Sequence[Example], after: Sequence[Example]) -> Iterator[_Told]:
    """Few-shot cases."""
    old = {(e.prompt, e.better, e.worse) for e in before}
    if any((e.prompt, e.worse, e.better) in old and e.better != e.worse for e in after):
        said = f"In an example of '{one}' the better and the worse answer changed places."
        yield "examples swapped", one, said
    elif tuple(before) != tuple(after):
        yield "examples", one, f"Changed the examples of '{one}'."


def _sign(weight: float) -> int:
    return (weight > 0) - (weight < 0)


def _some(scores: Sequence[int] | set[int]) -> str:
    return listed(str(score) for score in sorted(scores))
