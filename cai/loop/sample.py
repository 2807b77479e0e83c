"""Sampling first answers from the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.loop.text import trim_to_sentence
from cai.records import Request, Response

if TYPE_CHECKING:
    from typing import Literal

    from cai.loop.walk import Walk
    from cai.records import Completion

__all__ = ["sample", "usable_text"]


async def sample(walk: Walk, index: int) -> Response:
    """Ask the policy for answer number `index` (from 0)."""
    loop, template = walk.desk.plan.config.loop, walk.desk.plan.templates["sample"]
    request = Request(
        messages=template.render({}, walk.prompt.messages),
        sampling=walk.sampling(loop.sample, "sample", index),
        sample_index=index,
        shared=template.shared,
        stage="sample",
    )
    answer = await walk.desk.policy.ask(request)
    completion = answer.completion
    return Response(
        text=usable_text(completion, loop.truncated),
        raw=completion.text,
        outcome=completion.outcome,
        request_id=answer.request_id,
    )


def usable_text(completion: Completion, truncated: Literal["drop", "trim", "keep"]) -> str:
    """The text to go on with: empty when the model refused to answer or was cut off.

    Args:
        completion: what was generated.
        truncated: what to do with text that hit the token limit (`loop.truncated`).
    """
    text = completion.text.strip()
    if completion.outcome == "refused":
        return ""
    if completion.outcome == "truncated" and truncated != "keep":
        return trim_to_sentence(text) if truncated == "trim" else ""
    return text
