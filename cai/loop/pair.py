"""Making pairs of answers and having them judged."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from cai.loop.draw import draw_principles
from cai.loop.text import same_text
from cai.records import Pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.models import Principle
    from cai.loop.walk import Walk
    from cai.records import Response, Revision

__all__ = ["revision_pair", "sample_pairs"]


async def revision_pair(
    walk: Walk, index: int, start: Response, chain: Sequence[Revision]
) -> tuple[Pair, ...]:
    """Judge (original, final revision); nothing when no round gave a usable revision."""
    usable = [revision for revision in chain if revision.outcome == "revised"]
    if not usable:
        return ()
    pair = Pair(
        prompt_id=walk.prompt_id,
        kind="revision",
        first=start.text,
        second=usable[-1].text,
        first_name=f"sample {index}",
        second_name=f"sample {index}, revision {usable[-1].round}",
    )
    return (await _judged(walk, pair),)


async def sample_pairs(walk: Walk, samples: Sequence[Response]) -> tuple[Pair, ...]:
    """Judge every two usable samples."""
    usable = [(i, response) for i, response in enumerate(samples) if response.text]
    pairs = [
        Pair(
            prompt_id=walk.prompt_id,
            kind="samples",
            first=first.text,
            second=second.text,
            first_name=f"sample {i}",
            second_name=f"sample {j}",
        )
        for (i, first), (j, second) in combinations(usable, 2)
    ]
    return tuple(await asyncio.gather(*(_judged(walk, pair) for pair in pairs)))


async def _judged(walk: Walk, pair: Pair) -> Pair:
    if same_text(pair.first, pair.second):
        # A later round may lead back to the original; two samples may coincide.
        return replace(pair, note="identical")
    verdict = await walk.desk.judge.judge(
        walk.prompt.messages, pair.first, pair.second, _principles(walk, pair)
    )
    return replace(pair, verdict=verdict)


def _principles(walk: Walk, pair: Pair) -> list[Sequence[Principle]]:
    """The groups of principles to judge under.

    Drawn anew for each pair, apart from the draws of the rounds: a revision is not judged by the
    very principle that made it more often than chance has it (2212.08073, §4.1 draws for each
    comparison independently, too).
    """
    plan = walk.desk.plan
    if plan.config.judge.scope != "drawn":
        ranked = sorted(plan.constitution.principles, key=lambda p: (-p.weight, p.id))
        return [ranked] if plan.config.judge.scope == "constitution" else [(p,) for p in ranked]
    drawn = draw_principles(
        plan.constitution,
        plan.config.loop.seed,
        walk.prompt_id,
        f"judge {pair.first_name} | {pair.second_name}",
        plan.config.judge.principles,
    )
    return [(principle,) for principle in drawn]
