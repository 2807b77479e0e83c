"""From conversations to token ids, and from lists of ids to batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.templates import transcript

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from cai.records import Message

__all__ = ["Encoder", "pad_right"]

_UNUSED = -100


@dataclass(frozen=True)
class Encoder:
    """Writes conversations with the tokenizer's chat template, or as text where it has none.

    An answer is followed by the end-of-turn token, so that the model learns to stop, unless it had
    to be cut. Long prompts lose their beginning and long answers their end: an answer may take up
    half of the length, and all that the prompt leaves free.
    """

    tokenizer: Any
    max_length: int

    def pair(self, prompt: Sequence[Message], answer: str) -> tuple[list[int], list[int]]:
        """The ids of a prompt and of an answer, together at most `max_length`."""
        before, after = self.prompt(prompt), self._answer(answer)
        room = max(self.max_length - len(before), self.max_length // 2)
        after = after[:room]
        return before[max(0, len(before) - (self.max_length - len(after))) :], after

    def prompt(self, messages: Sequence[Message], longest: int | None = None) -> list[int]:
        """The ids of a conversation up to where the assistant's next turn begins."""
        turns = [{"role": m.role, "content": m.content} for m in messages]
        if getattr(self.tokenizer, "chat_template", None):
            text = self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
        else:
            text = f"{transcript(messages)}\n\nAssistant:"
        ids = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return ids if longest is None else ids[max(0, len(ids) - longest) :]

    def _answer(self, text: str) -> list[int]:
        ids = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return [*ids, self.tokenizer.eos_token_id]


def pad_right(
    rows: Sequence[tuple[Sequence[int], Sequence[int]]], pad: int
) -> dict[str, torch.Tensor]:
    """Stack prompts and answers into a batch.

    Args:
        rows: n times the ids of a prompt and of its answer.
        pad: id that fills up; it is masked, so any will do.

    Returns:
        `input_ids` and `attention_mask`, (n, t) with t the longest row; `labels`, (n, t), the ids
        of the answers and −100 elsewhere.
    """
    import torch

    longest = max(len(before) + len(after) for before, after in rows)
    ids = torch.full((len(rows), longest), pad)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    labels = torch.full((len(rows), longest), _UNUSED)
    for i, (before, after) in enumerate(rows):
        end = len(before) + len(after)
        ids[i, :end] = torch.tensor([*before, *after])
        mask[i, :end] = 1
        labels[i, len(before) : end] = torch.tensor(list(after))
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
