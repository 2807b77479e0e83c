"""Layouts without comparisons: edits, Alpaca, prompts alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.formats.writing import messages, usable_revisions
from cai.hashing import short_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.formats.writing import Context
    from cai.records import Row

__all__ = ["write_alpaca", "write_edits", "write_prompts"]


def write_edits(row: Row, context: Context) -> Iterator[dict[str, Any]]:
    """Every usable round: the text that went in, its critique, the principle, what came out.

    The rounds are those of Bai et al. 2022, "Constitutional AI" (arXiv:2212.08073), section 3.1.
    """
    for usable in usable_revisions(row, "all"):
        revision = usable.revision
        if len(usable.upto) > 1:
            original = usable.upto[-2].text
        elif usable.sample < len(row.samples):
            original = row.samples[usable.sample].text
        else:
            context.left_out["the text before the revision is not in the row"] += 1
            continue
        place = [row.prompt.id, "edit", usable.sample, revision.round, revision.text]
        yield {
            "prompt": messages(row.prompt),
            "original": original,
            "revision": revision.text,
            "critique": revision.critique,
            # A run of an older version may know the id of a principle and no text.
            "principle": context.principles.get(revision.principle_id, ""),
            "principle_id": revision.principle_id,
            "sample": usable.sample,
            "round": revision.round,
            "id": short_id(place),
            "prompt_id": row.prompt.id,
            "source": "ai",
            "tags": list(row.prompt.tags),
        }


def write_alpaca(row: Row, context: Context) -> Iterator[dict[str, Any]]:
    """The keys of Stanford Alpaca (github.com/tatsu-lab/stanford_alpaca), `input` always empty.

    Its rows hold one question and one answer, so that a conversation has no place in them.
    """
    prompt = row.prompt.messages
    for usable in usable_revisions(row, context.revisions):
        if len(prompt) > 1:
            one = "a system turn" if prompt[0].role == "system" else "several turns"
            context.left_out[f"the prompt has {one}"] += 1
            continue
        yield {
            "instruction": prompt[0].content,
            "input": "",
            "output": usable.revision.text,
        }


def write_prompts(row: Row, context: Context) -> Iterator[dict[str, Any]]:
    """TRL's prompt-only format, which GRPO and RLOO read."""
    del context
    yield {
        "prompt": messages(row.prompt),
        "prompt_id": row.prompt.id,
        "tags": list(row.prompt.tags),
    }
