"""Making pairs of answers and having them judged."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from cai.loop.contrast import BY_CONSTRUCTION, contrast_pair
from cai.loop.pairing import best_worst, confirmed, partners
from cai.loop.text import same_text
from cai.loop.under import judged_under
from cai.records import Pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.loop.walk import Walk
    from cai.records import Response, Revision

__all__ = ["answer_contrast", "revision_pair", "sample_pairs"]


async def revision_pair(
    walk: Walk, index: int, start: Response, chain: Sequence[Revision]
) -> tuple[Pair, ...]:
    """Judge (original, final revision); nothing when no round gave a usable revision.

    With `loop.confirm` a pair whose revision the judge does not prefer is set aside. With
    `loop.revised.judge` off nobody compares them, and the revision is the better one.
    """
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
    loop = walk.desk.plan.config.loop
    if not loop.revised.judge:
        # The revision is `second`, so the original has p = 0.
        pair = replace(pair, constructed=0.0, note=BY_CONSTRUCTION)
    return (confirmed(await _judged(walk, pair), loop.confirm),)


async def sample_pairs(walk: Walk, samples: Sequence[Response]) -> tuple[Pair, ...]:
    """Judge the pairs of usable samples that `loop.pairing` names."""
    pairing = walk.desk.plan.config.loop.pairing
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
        for (i, first), (j, second) in partners(usable, pairing)
    ]
    judged = tuple(await asyncio.gather(*(_judged(walk, pair) for pair in pairs)))
    return best_worst(judged) if pairing == "best_worst" else judged


async def answer_contrast(walk: Walk, under: Response, plain: Response) -> tuple[Pair, ...]:
    """Judge (answer under the constitution, answer without), or take it as it was made."""
    judge = walk.desk.plan.config.loop.contrast.judge
    pair = contrast_pair(walk.prompt_id, under, plain, judge=judge)
    return () if pair is None else (await _judged(walk, pair),)


async def _judged(walk: Walk, pair: Pair) -> Pair:
    if same_text(pair.first, pair.second):
        # A later round may lead back to the original; two samples may coincide.
        return replace(pair, note="identical", constructed=None)
    if pair.constructed is not None:
        return pair
    verdict = await walk.desk.judge.judge(
        walk.prompt.messages,
        pair.first,
        pair.second,
        judged_under(walk.desk.plan, walk.prompt, pair),
    )
    return replace(pair, verdict=verdict)
