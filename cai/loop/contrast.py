"""Pairs of one model's answers with and without the constitution in its prompt.

Open Character Training (Maiya et al. 2025, 2511.01689) takes the answer under the constitution as
chosen and the one without it as rejected. Here a judge compares them first, unless
`loop.contrast.judge` is off.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cai.errors import ConfigError
from cai.loop.sample import usable_text
from cai.records import Message, Pair, Request, Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.models import Constitution
    from cai.loop.walk import Walk
    from cai.templates import Template

__all__ = ["BY_CONSTRUCTION", "check_principles", "constitution_sample", "contrast_pair"]

BY_CONSTRUCTION = "by construction"

_PLACE = "<<principles>>"
"""Stands for the principles in the messages before the conversation, as `<<conversation>>` does
for the prompt's own."""


async def constitution_sample(walk: Walk) -> Response:
    """Ask the policy for an answer under the principles of the prompt."""
    plan = walk.desk.plan
    messages, shared = _under(
        plan.templates["contrast"],
        plan.templates["sample"],
        walk.constitution,
        walk.prompt.messages,
    )
    request = Request(
        messages=messages,
        sampling=walk.sampling(plan.config.loop.sample, "contrast", 0),
        shared=shared,
        stage="sample",
    )
    answer = await walk.desk.policy.ask(request)
    completion = answer.completion
    return Response(
        text=usable_text(completion, plan.config.loop.truncated),
        raw=completion.text,
        outcome=completion.outcome,
        request_id=answer.request_id,
    )


def contrast_pair(prompt_id: str, under: Response, plain: Response, *, judge: bool) -> Pair | None:
    """The pair of both answers, not judged yet; None when one of them is unusable.

    Args:
        prompt_id: of the prompt.
        under: the answer with the constitution in the prompt.
        plain: the answer without.
        judge: whether a judge is going to compare them; if not, the pair has p = 1 and says why.
    """
    if not under.text or not plain.text:
        return None
    pair = Pair(
        prompt_id=prompt_id,
        kind="contrast",
        first=under.text,
        second=plain.text,
        first_name="sample 0, under the constitution",
        second_name="sample 0",
    )
    return pair if judge else replace(pair, constructed=1.0, note=BY_CONSTRUCTION)


def check_principles(sample: Template, contrast: Template | None) -> None:
    """Refuse a contrast that does not show the principles, and a plain sample that does.

    Raises:
        ConfigError: a template is the wrong one.
    """
    if contrast and not _shows_principles(contrast):
        raise ConfigError(
            f"templates.contrast: the template sample/{contrast.name} does not show the "
            f"principles. Put a line {_PLACE} into a message before <<conversation>>, or choose "
            "constitution."
        )
    if _shows_principles(sample):
        raise ConfigError(
            f"templates.sample: the template sample/{sample.name} shows the principles, which is "
            "for templates.contrast. Choose another one for plain samples."
        )


def _shows_principles(template: Template) -> bool:
    return any(_PLACE in message.content for message in _head(template))


def _under(
    template: Template,
    plain: Template,
    constitution: Constitution,
    prompt: Sequence[Message],
) -> tuple[tuple[Message, ...], int]:
    """The request of the plain sample with the constitution put before it, and what is shared.

    In all else both answers are asked for in the same way, so nothing but the principles tells
    them apart.
    """
    text = "\n".join(f"- {' '.join(p.text.split())}" for p in constitution.ranked)
    head = [Message(m.role, m.content.replace(_PLACE, text)) for m in _head(template)]
    rest = plain.render({}, prompt)
    shared = len(head) + plain.shared
    if plain.shared and head[-1].role == rest[0].role == "system":
        # Many chat templates know one system message only.
        head[-1] = Message("system", f"{head[-1].content}\n\n{rest[0].content}")
        rest, shared = rest[1:], shared - 1
    return (*head, *rest), shared


def _head(template: Template) -> tuple[Message, ...]:
    return template.render({})[: template.shared]
