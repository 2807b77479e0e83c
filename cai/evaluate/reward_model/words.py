"""What a result says of the pairs and candidates that a reward model was tried on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.hashing import content_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.reward_model.candidates import CandidateSet
    from cai.evaluate.reward_model.pairs import LabelledPair

__all__ = ["inputs_of", "notes_of"]


def inputs_of(pairs: Sequence[LabelledPair], sets: Sequence[CandidateSet]) -> str:
    """Hash of what was scored."""
    return content_hash(
        [
            [[one.group, one.subset, one.chosen, one.rejected] for one in pairs],
            [[one.prompt.id, list(one.texts), list(one.gold), list(one.scores)] for one in sets],
        ]
    )


def notes_of(
    pairs: Sequence[LabelledPair], left_out: int, sets: Sequence[CandidateSet]
) -> tuple[str, ...]:
    """How many there are, and how they are scored."""
    notes = []
    if pairs:
        notes.append(
            f"{len(pairs):,} pairs; {left_out:,} rows without a winner were left out. Lengths are "
            "characters. p = σ(score of chosen − score of rejected)."
        )
    if sets:
        notes.append(
            f"{len(sets):,} prompts with candidates: expected gold score of what is preferred "
            "among n of them, drawn without replacement."
        )
    return tuple(notes)
