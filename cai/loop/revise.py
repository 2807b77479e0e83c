"""Rounds of critique and revision: a chain that ends with the best text so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.loop.critique import critique
from cai.loop.draw import draw_principles
from cai.loop.sample import usable_text
from cai.loop.text import declines_to_revise, leaks_revision, same_text, strip_scaffolding
from cai.records import Request, Revision
from cai.templates import transcript

if TYPE_CHECKING:
    from cai.constitution.models import Principle
    from cai.loop.walk import Walk
    from cai.records import Completion, Response, RevisionOutcome

__all__ = ["read_revision", "revise_rounds"]


async def revise_rounds(walk: Walk, index: int, start: Response) -> tuple[Revision, ...]:
    """Revise one sample `loop.rounds` times, each time under a principle drawn by weight.

    All samples of a prompt are revised under the same principle in the same round, so their
    chains can be compared. An unusable sample has no chain, and neither has one of a prompt with a
    tag of `loop.unrevised`.
    """
    plan = walk.desk.plan
    rounds: list[Revision] = []
    text = start.text if plan.scopes.revises(walk.prompt) else ""
    for number in range(1, plan.config.loop.rounds + 1) if text else ():
        (principle,) = draw_principles(
            plan.scopes.revising(walk.prompt), plan.config.loop.seed, walk.prompt_id, number
        )
        done = await _one_round(walk, index, number, text, principle)
        rounds.append(done)
        text = done.text
    return tuple(rounds)


async def _one_round(
    walk: Walk, index: int, number: int, text: str, principle: Principle
) -> Revision:
    loop = walk.desk.plan.config.loop
    found = None
    if not loop.direct:
        found = await critique(walk, index, number, text, principle)
        outcome: RevisionOutcome | None = None
        if found.refused:
            outcome = "refused"
        elif found.clean and loop.skip_when_clean:
            outcome = "skipped"
        if outcome:
            return Revision(
                *(number, principle.id, outcome, text),
                critique=found.text,
                critique_request_id=found.request_id,
            )
    template = walk.desk.plan.templates["revise"]
    values: dict[str, object] = {
        "conversation": transcript(walk.prompt.messages),
        "response": text,
        "principle": principle,
    }
    request = Request(
        messages=template.render(values | ({"critique": found.text} if found else {})),
        sampling=walk.sampling(loop.revision, "revise", index, number),
        sample_index=index,
        shared=template.shared,
        stage="revise",
    )
    answer = await walk.desk.critic.ask(request)
    outcome, revised, stripped = read_revision(
        answer.completion, text, usable_text(answer.completion, loop.truncated)
    )
    return Revision(
        round=number,
        principle_id=principle.id,
        outcome=outcome,
        text=revised if outcome == "revised" else text,
        critique=found.text if found else "",
        raw=answer.completion.text,
        stripped=stripped,
        critique_request_id=found.request_id if found else "",
        revise_request_id=answer.request_id,
    )


def read_revision(
    completion: Completion, before: str, text: str
) -> tuple[RevisionOutcome, str, str]:
    """Say what a reviser's answer is.

    Args:
        completion: what was generated.
        before: the text that was to be revised.
        text: the usable part of the completion; empty when it hit the limit and is dropped.

    Returns:
        The outcome, the text without leaked scaffolding, and the scaffolding.
    """
    if completion.outcome == "refused" or declines_to_revise(text):
        return "refused", "", ""
    if not text and completion.outcome == "truncated":
        return "truncated", "", ""
    rest, stripped = strip_scaffolding(text)
    if not rest:
        return "empty", "", stripped
    if leaks_revision(rest) and not leaks_revision(before):
        return "leaked", rest, stripped
    if same_text(rest, before):
        return "unchanged", rest, stripped
    return "revised", rest, stripped
