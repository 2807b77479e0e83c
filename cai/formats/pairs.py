"""Layouts made of decided pairs: UltraFeedback, OpenAI, reward models, KTO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.formats.writing import answer, decided_pairs, messages
from cai.hashing import short_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.formats.writing import Context
    from cai.records import Row

__all__ = ["write_kto", "write_openai", "write_reward", "write_ultrafeedback"]


def write_ultrafeedback(row: Row, context: Context) -> Iterator[dict[str, Any]]:
    """The seven columns of the data set HuggingFaceH4/ultrafeedback_binarized.

    `chosen` and `rejected` are whole conversations and `messages` is `chosen` again. `prompt` is
    the last turn of the user: there, conversations have one. The scores there are ratings from 1
    to 10; here they are p and 1 - p, which a reader can tell by their sum.
    """
    del context
    prompt = messages(row.prompt)
    for pair, p in decided_pairs(row):
        chosen = prompt + answer(pair.first)
        yield {
            "prompt": row.prompt.messages[-1].content,
            "prompt_id": row.prompt.id,
            "chosen": chosen,
            "rejected": prompt + answer(pair.second),
            "messages": chosen,
            "score_chosen": p,
            "score_rejected": 1.0 - p,
        }


def write_openai(row: Row, context: Context) -> Iterator[dict[str, Any]]:
    """A line of a preference fine-tuning file, as OpenAI's guide describes it.

    The guide: developers.openai.com/api/docs/guides/direct-preference-optimization, section
    "Data format". Each output is one message of the assistant.
    """
    del context
    prompt = messages(row.prompt)
    for pair, _ in decided_pairs(row):
        yield {
            "input": {"messages": prompt, "tools": [], "parallel_tool_calls": True},
            "preferred_output": answer(pair.first),
            "non_preferred_output": answer(pair.second),
        }


def write_reward(row: Row, context: Context) -> Iterator[dict[str, Any]]:
    """TRL's preference format with the soft label `p` and the `margin` that RewardTrainer reads."""
    del context
    prompt = messages(row.prompt)
    for pair, p in decided_pairs(row):
        yield {
            "prompt": prompt,
            "chosen": answer(pair.first),
            "rejected": answer(pair.second),
            "p": p,
            "margin": 2.0 * p - 1.0,
            "id": pair.id,
            "prompt_id": row.prompt.id,
            "source": "ai",
            "kind": pair.kind,
        }


def write_kto(row: Row, context: Context) -> Iterator[dict[str, Any]]:
    """TRL's unpaired preference format, for KTO (Ethayarajh et al. 2024, arXiv:2402.01306).

    An answer that won is good, one that lost is bad, and each is there once. One that did both
    contradicts itself and is left out.
    """
    won: dict[str, None] = {}
    lost: dict[str, None] = {}
    for pair, _ in decided_pairs(row):
        won[pair.first] = lost[pair.second] = None
    prompt = messages(row.prompt)
    for text in won | lost:
        if text in won and text in lost:
            context.left_out["the answer won one comparison and lost another"] += 1
            continue
        yield {
            "prompt": prompt,
            "completion": answer(text),
            "label": text in won,
            "id": short_id([row.prompt.id, "label", text]),
            "prompt_id": row.prompt.id,
            "source": "ai",
        }
