"""The KV states of token prefixes that many requests share."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    States = list[tuple[Tensor, Tensor]]

__all__ = ["PrefixCache"]


class PrefixCache:
    """Keeps the states of the most recently used prefixes, keyed by their token ids."""

    def __init__(self, capacity: int = 8) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[tuple[int, ...], States] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, ids: tuple[int, ...], compute: Callable[[tuple[int, ...]], States]) -> States:
        """The states of `ids`: per layer keys and values (heads, tokens, width)."""
        if ids not in self._entries:
            self._entries[ids] = compute(ids)
            if len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
        self._entries.move_to_end(ids)
        return self._entries[ids]

    def clear(self) -> None:
        """Forget all of them."""
        self._entries.clear()
