"""Forward passes of a causal language model over the slots of a `SlotCache`."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cai.engines.inprocess.prefix import PrefixCache
from cai.engines.inprocess.slots import (
    GROUPED_ATTENTION,
    SlotCache,
    register_grouped_attention,
)
from cai.errors import FatalEngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Runner"]

_FULL, _SLIDING = "full_attention", "sliding_attention"
# Tokens of one prefill pass. Bounds its memory; on a CPU more brings no more speed.
_BUDGET = {"cpu": 1024, "cuda": 8192}
_PROBE = (5, 3, 8, 4, 6, 9, 7, 10)


class Runner:
    """Prefills prompts and decodes one token per row, with logits of the last position only.

    Raises:
        FatalEngineError: the architecture keeps another kind of state than keys and values, or
            gives other logits here than in a plain forward pass.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = model.device
        self.cache = SlotCache()
        self.prefixes = PrefixCache()
        self.budget = _BUDGET.get(self.device.type, 4096)
        config = model.config.get_text_config()
        self.max_positions: int | None = getattr(config, "max_position_embeddings", None)
        self.vocabulary = int(config.vocab_size)
        self._windows = _attention_windows(config)
        parameters = inspect.signature(model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
        self._attention = config._attn_implementation
        if self._attention == "sdpa":
            register_grouped_attention()
            model.set_attn_implementation(GROUPED_ATTENTION)
        try:
            self._check()
        except FatalEngineError:
            self.close()
            raise

    def close(self) -> None:
        """Give memory back, and the model its own attention function."""
        self.cache.clear()
        self.prefixes.clear()
        if self._attention == "sdpa":
            self.model.set_attn_implementation("sdpa")

    def prefill(
        self, first_slot: int, prompts: Sequence[Sequence[int]], prefixes: Sequence[tuple[int, ...]]
    ) -> Tensor:
        """Compute prompts into neighbouring slots.

        Args:
            first_slot: slot of the first prompt; slots from here on are overwritten.
            prompts: token ids.
            prefixes: the head of each prompt that is shared with others, or ().

        Returns:
            (prompts, vocabulary) logits of the token after each prompt.
        """
        ready = [
            self.prefixes.get(ids, lambda ids: self._compute_prefix(first_slot, ids))
            if ids
            else None
            for ids in prefixes
        ]
        self.cache.reserve(first_slot + len(prompts), max(map(len, prompts)))
        for row, states in enumerate(ready):
            if states is not None:
                self.cache.write(first_slot + row, states)
        return self._fill(first_slot, prompts, [len(ids) for ids in prefixes])

    def decode(self, tokens: list[int], positions: list[int]) -> Tensor:
        """Append one token to each of the first slots.

        Returns:
            (rows, vocabulary) logits of the token after it.
        """
        where = torch.tensor(positions)[:, None]
        return self._forward(0, torch.tensor(tokens)[:, None], where, torch.ones_like(where) > 0)

    def _compute_prefix(self, slot: int, ids: tuple[int, ...]) -> list[tuple[Tensor, Tensor]]:
        self._fill(slot, [ids], [0])
        return self.cache.read(slot, len(ids))

    def _fill(
        self, first_slot: int, prompts: Sequence[Sequence[int]], starts: Sequence[int]
    ) -> Tensor:
        """Right-align what is left of the prompts and run it in chunks of columns."""
        rests = [prompt[start:] for prompt, start in zip(prompts, starts, strict=True)]
        width = max(map(len, rests))
        tokens = torch.zeros(len(rests), width, dtype=torch.long)
        for row, rest in enumerate(rests):
            tokens[row, width - len(rest) :] = torch.tensor(rest)
        lengths = torch.tensor([len(prompt) for prompt in prompts])[:, None]
        positions = torch.arange(width)[None, :] - width + lengths
        valid = positions >= torch.tensor(starts)[:, None]
        positions = positions.where(valid, 0)
        step = max(1, self.budget // len(rests))
        for begin in range(0, width, step):
            part = slice(begin, begin + step)
            logits = self._forward(first_slot, tokens[:, part], positions[:, part], valid[:, part])
        return logits

    def _forward(self, first_slot: int, tokens: Tensor, positions: Tensor, valid: Tensor) -> Tensor:
        """Run (batch, query) tokens; padding (not `valid`) is computed but never stored."""
        length = int(positions.max()) + 1
        tokens, positions, valid = (t.to(self.device) for t in (tokens, positions, valid))
        self.cache.reserve(first_slot + tokens.shape[0], length)
        self.cache.aim(first_slot, positions, valid, length)
        masks = {kind: self._mask(positions, length, w) for kind, w in self._windows.items()}
        output = self.model(
            input_ids=tokens,
            attention_mask=masks if len(masks) > 1 else next(iter(masks.values())),
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            **self._last_only,
        )
        logits: Tensor = output.logits[:, -1]
        return logits

    def _mask(self, positions: Tensor, length: int, window: int | None) -> Tensor:
        """Additive causal mask (batch, 1, query, length)."""
        keys = torch.arange(length, device=self.device)
        hidden = keys > positions[:, :, None]
        if window is not None:
            hidden |= keys <= positions[:, :, None] - window
        dtype = self.model.dtype
        mask = torch.zeros(hidden.shape, dtype=dtype, device=self.device)
        return mask.masked_fill_(hidden, torch.finfo(dtype).min)[:, None]

    def _check(self) -> None:
        """Compare the slots with a plain forward pass on a few tokens."""
        probe = [token % self.vocabulary for token in _PROBE]
        try:
            plain = self.model(torch.tensor([probe], device=self.device), use_cache=False)
            expected = plain.logits[0, -1].float()
            self.prefill(0, [probe[:-1], probe[:4]], [(), ()])
            got = self.decode([probe[-1], probe[4]], [len(probe) - 1, 4])[0].float()
        except (TypeError, ValueError, AttributeError, IndexError, KeyError, RuntimeError) as error:
            raise FatalEngineError(_unsupported(self.model, f"{error}")) from error
        finally:
            self.cache.clear()
        tolerance = 1e-3 if self.model.dtype == torch.float32 else 0.1
        gap = (got - expected).abs().max() / expected.abs().max().clamp(min=1.0)
        if not gap <= tolerance:
            reason = f"batched logits differ from plain ones by {gap:.2g}"
            raise FatalEngineError(_unsupported(self.model, reason))


def _attention_windows(config: Any) -> dict[str, int | None]:
    """How far back each kind of layer looks; None is everything."""
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or [_FULL if window is None else _SLIDING])
    other = sorted(kinds - {_FULL, _SLIDING})
    if other:
        raise FatalEngineError(
            f"layers of kind {', '.join(other)} ({config.model_type}) do not run in this process; "
            f"allowed are {_FULL} and {_SLIDING}. Serve the model (for example with vLLM) and set "
            "engine: openai"
        )
    return {kind: window if kind == _SLIDING else None for kind in sorted(kinds)}


def _unsupported(model: Any, reason: str) -> str:
    return (
        f"the architecture {type(model).__name__} does not run in this process ({reason}). "
        "Allowed are decoder-only models with an ordinary key-value cache. Serve the model (for "
        "example with vLLM) and set engine: openai"
    )
