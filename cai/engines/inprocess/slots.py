"""The KV cache of a changing batch: one slot per sequence, grown in place.

Slot r, index p holds the keys and values of position p of sequence r, so sequences of different
lengths need neither padding nor shifting, a new one is written beside the others, and a finished
one is overwritten by the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import transformers
from torch.nn.functional import scaled_dot_product_attention
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["GROUPED_ATTENTION", "SlotCache", "register_grouped_attention"]

GROUPED_ATTENTION = "cai_grouped"
"""The name of the attention function in transformers' registry."""

_GROWTH = 256


class SlotCache(transformers.Cache):
    """Keys and values of each layer, of shape (slots, heads, length, width).

    `aim` says where the tokens of the next forward pass go.
    """

    def __init__(self) -> None:
        super().__init__(layers=[])
        self._store: list[tuple[Tensor, Tensor]] = []
        self._slots = 0
        self._length = 0
        self._window = (0, 0, 0)
        self._source: tuple[Tensor, Tensor] | None = None
        self._target: tuple[Tensor, Tensor] | None = None

    def reserve(self, slots: int, length: int) -> None:
        """Make room for so many slots of so many positions; what is stored stays."""
        if slots <= self._slots and length <= self._length:
            return
        self._slots = max(slots, self._slots)
        if length > self._length:
            self._length = -(-max(length, self._length * 5 // 4) // _GROWTH) * _GROWTH
        self._store = [(self._grown(keys), self._grown(values)) for keys, values in self._store]

    def aim(self, first_slot: int, positions: Tensor, valid: Tensor, length: int) -> None:
        """Place the next forward pass.

        Args:
            first_slot: slot of the first row of the batch; the others follow it.
            positions: (batch, query) position of each token.
            valid: (batch, query) False for padding, which is not stored.
            length: how many positions the queries look at.
        """
        rows, columns = valid.nonzero(as_tuple=True)
        self._source = (rows, columns)
        self._target = (rows + first_slot, positions[rows, columns])
        self._window = (first_slot, first_slot + positions.shape[0], length)

    def update(
        self,
        key_states: Tensor,
        value_states: Tensor,
        layer_idx: int,
        *_args: Any,
        **_kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Store (batch, heads, query, width) states; return all that the queries look at."""
        if layer_idx == len(self._store):
            self._store.append((self._empty(key_states), self._empty(value_states)))
        keys, values = self._store[layer_idx]
        assert self._source is not None
        assert self._target is not None
        rows, columns = self._source
        slots, positions = self._target
        keys[slots, :, positions] = key_states[rows, :, columns]
        values[slots, :, positions] = value_states[rows, :, columns]
        first, last, length = self._window
        return keys[first:last, :, :length], values[first:last, :, :length]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Positions that the current batch looks at."""
        return self._window[2]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of one slot over another."""
        for keys, values in self._store:
            keys[target, :, :length] = keys[source, :, :length]
            values[target, :, :length] = values[source, :, :length]

    def read(self, slot: int, length: int) -> list[tuple[Tensor, Tensor]]:
        """Copies of the first `length` positions of a slot, per layer (heads, length, width)."""
        return [(k[slot, :, :length].clone(), v[slot, :, :length].clone()) for k, v in self._store]

    def write(self, slot: int, states: list[tuple[Tensor, Tensor]]) -> None:
        """Put what `read` returned at the beginning of a slot."""
        if not self._store:
            # The prefix outlived a `clear`: no forward pass has made the layers anew yet.
            self._store = [(self._empty(k[None]), self._empty(v[None])) for k, v in states]
        for (keys, values), (stored_keys, stored_values) in zip(self._store, states, strict=True):
            keys[slot, :, : stored_keys.shape[1]] = stored_keys
            values[slot, :, : stored_values.shape[1]] = stored_values

    def clear(self) -> None:
        """Give the memory back."""
        self._store, self._slots, self._length = [], 0, 0

    def _empty(self, like: Tensor) -> Tensor:
        # Zeros, because a masked key still meets the softmax, and 0 · NaN would be NaN.
        return like.new_zeros(self._slots, like.shape[1], self._length, like.shape[3])

    def _grown(self, old: Tensor) -> Tensor:
        new = self._empty(old)
        new[: old.shape[0], :, : old.shape[2]] = old
        return new


def register_grouped_attention() -> None:
    """Tell transformers of `GROUPED_ATTENTION`."""
    transformers.AttentionInterface.register(GROUPED_ATTENTION, _grouped_attention)
    transformers.AttentionMaskInterface.register(GROUPED_ATTENTION, sdpa_mask)


def _grouped_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Grouped-query attention that does not copy the keys for each query head.

    The query heads that share a key head are stacked along the query axis: (batch, key heads,
    group · query, width). Without this, transformers repeats the whole KV cache in every layer.
    """
    batch, heads, queries, width = query.shape
    group = heads // key.shape[1]
    if group == 1 or attention_mask is None or kwargs.get("position_bias") is not None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **kwargs
        )
    stacked = query.reshape(batch, key.shape[1], group * queries, width)
    mask = attention_mask[:, :, None].expand(-1, -1, group, -1, -1)
    mask = mask.reshape(batch, mask.shape[1], group * queries, -1)
    mixed = scaled_dot_product_attention(
        stacked, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling
    )
    mixed = mixed.reshape(batch, heads, queries, value.shape[3])
    return mixed.transpose(1, 2).contiguous(), None
