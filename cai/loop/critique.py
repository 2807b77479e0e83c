"""Critiquing an answer under one principle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.records import Request
from cai.templates import transcript

if TYPE_CHECKING:
    from cai.constitution.models import Principle
    from cai.loop.walk import Walk

__all__ = ["Critique", "critique"]


@dataclass(frozen=True, slots=True)
class Critique:
    """What the critic said. `clean`: it found nothing; `refused`: it would not look."""

    text: str
    request_id: str
    clean: bool
    refused: bool


async def critique(
    walk: Walk, sample_index: int, round_: int, text: str, principle: Principle
) -> Critique:
    """Ask the critic how `text` falls short of `principle`."""
    plan = walk.desk.plan
    template = plan.templates["critique"]
    request = Request(
        messages=template.render(
            {
                "conversation": transcript(walk.prompt.messages),
                "response": text,
                "principle": principle,
            }
        ),
        sampling=walk.sampling(plan.config.loop.critique, "critique", sample_index, round_),
        sample_index=sample_index,
        shared=template.shared,
        stage="critique",
    )
    answer = await walk.desk.critic.ask(request)
    said = answer.completion.text.strip()
    return Critique(
        text=said,
        request_id=answer.request_id,
        clean=bool(template.nothing) and _found_nothing(said, template.nothing),
        refused=answer.completion.outcome == "refused" or not said,
    )


def _found_nothing(said: str, marker: str) -> bool:
    return said.casefold().lstrip(" \"'*").startswith(marker.casefold().rstrip(". "))
