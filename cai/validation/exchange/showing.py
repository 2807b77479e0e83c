"""How an item is shown in another tool: which answer is A, and the key that remembers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.hashing import short_id, unit_interval

if TYPE_CHECKING:
    from cai.records import Prompt
    from cai.validation.records import Item

__all__ = ["Showing", "showing_of", "swapped_by"]


@dataclass(frozen=True, slots=True)
class Showing:
    """An item as annotators see it: texts alone, without verdicts, models or names of answers.

    `key` travels with the item and says which answer is A to whoever reads the labels back. It
    tells people nothing: that the second answer is often the revised one would bias them.
    """

    item_id: str
    key: str
    prompt: str
    answer_a: str
    answer_b: str


def showing_of(item: Item) -> Showing:
    """The item with its answers in an order drawn by hash; a second showing draws anew."""
    swapped = unit_interval("side", item.item_id) < 0.5
    pair = item.pair.swap() if swapped else item.pair
    return Showing(
        item.item_id, _key(item.item_id, swapped), _text(item.prompt), pair.first, pair.second
    )


def swapped_by(item_id: str, key: str) -> bool | None:
    """Whether answer A was the second one; None when the key belongs to another item."""
    return next((swapped for swapped in (False, True) if _key(item_id, swapped) == key), None)


def _key(item_id: str, swapped: bool) -> str:
    return short_id(["shown", item_id, swapped])


def _text(prompt: Prompt) -> str:
    """A single question as it is; of a longer conversation each turn with its speaker."""
    if len(prompt.messages) == 1:
        return prompt.messages[0].content
    return "\n\n".join(f"{m.role.capitalize()}: {m.content}" for m in prompt.messages)
