"""Drawing principles: a weighted draw that depends on seed, prompt, purpose and principle alone.

Each principle gets its own exponential waiting time −ln(u)/w with u hashed from the seed, the
prompt, the purpose and the principle's id; the shortest wins (the exponential-races form of
weighted sampling: Efraimidis and Spirakis, 2006). P(i wins) = w_i / Σ w, and because no principle's
time depends on another, adding or reweighting one principle moves only the draws that it wins or
loses.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cai.hashing import unit_intervals

if TYPE_CHECKING:
    from cai.constitution.models import Constitution, Principle

__all__ = ["draw_principles"]


def draw_principles(
    constitution: Constitution, seed: int, prompt_id: str, purpose: str | int, count: int = 1
) -> tuple[Principle, ...]:
    """Draw `count` different principles, heavier ones more often.

    Args:
        constitution: what to draw from; all of it when it has no more than `count` principles.
        seed: of the run.
        prompt_id: of the prompt.
        purpose: the round number, or a name for any other draw of the same prompt.
        count: how many, in the order in which they were drawn.
    """
    principles = constitution.principles
    numbers = unit_intervals(seed, prompt_id, purpose, last=[p.id for p in principles])
    waits = [-math.log(u) / p.weight for u, p in zip(numbers, principles, strict=True)]
    if count == 1:
        return (principles[waits.index(min(waits))],)
    return tuple(principles[i] for i in sorted(range(len(waits)), key=waits.__getitem__)[:count])
