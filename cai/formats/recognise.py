"""Which layout a row has, by its keys, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.formats.answers import (
    alpaca_answer,
    bare_prompt,
    conversation,
    edit,
    label,
    plain_answer,
    ranking,
    rating,
)
from cai.formats.comparisons import (
    dialogues,
    openai_pair,
    plain_pair,
    undecided_pair,
    whole_conversations,
)
from cai.formats.values import role_of
from cai.intake.hh_rlhf import is_hh_row
from cai.intake.rows import broken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cai.formats.records import Record
    from cai.intake.rows import Place

    Row = Mapping[str, Any]

__all__ = ["record_of_row"]

_ALLOWED = (
    "`prompt` with `chosen` and `rejected` (and `p`), with `ranking`, with `answer` (and "
    "`rating`), with `completion` (and `label`), with `original` and `revision`, or alone; "
    "`input` with `preferred_output` and `non_preferred_output`; `instruction` with `output`; "
    "`messages`; or hh-rlhf dialogues"
)

_HALVES = (
    *("chosen", "rejected", "original", "revision", "rating"),
    *("preferred_output", "non_preferred_output"),
)


def record_of_row(row: Mapping[str, Any], place: Place) -> Record:
    """Read a row in any of the layouts of `cai.formats.LAYOUTS`, or one of hh-rlhf.

    Raises:
        InputError: the row has none of them, or is broken.
    """
    if is_hh_row(row):
        return dialogues(row, place)
    # In Parquet, a column that a row does not use is there as null.
    used = {key for key, value in row.items() if value is not None}
    for keys, read in _READERS:
        if not used.isdisjoint(keys) and all(key in row for key in keys):
            # Half a comparison is no prompt: what is missing must be said, not passed over.
            if read is bare_prompt and not used.isdisjoint(_HALVES):
                break
            return read(row, place)
    names = ", ".join(f"{key:.40}" for key in sorted(row)[:12])
    raise broken(place, f"a row with {names or 'nothing'}", _ALLOWED, "Rename the keys.")


def _pair(row: Row, place: Place) -> Record:
    """Whole conversations, or answers beside a prompt."""
    chosen = row["chosen"]
    whole = isinstance(chosen, list) and bool(chosen) and role_of(chosen[0]) != "assistant"
    return whole_conversations(row, place) if whole else plain_pair(row, place)


_READERS: tuple[tuple[tuple[str, ...], Callable[[Row, Place], Record]], ...] = (
    (("input", "preferred_output"), openai_pair),
    (("instruction", "output"), alpaca_answer),
    (("original", "revision"), edit),
    (("chosen", "rejected"), _pair),
    (("first", "second"), undecided_pair),
    (("ranking",), ranking),
    (("answer", "rating"), rating),
    (("completion", "label"), label),
    (("answer",), plain_answer),
    (("completion",), plain_answer),
    (("messages",), conversation),
    (("prompt",), bare_prompt),
)
"""By keys, the more telling ones first: an UltraFeedback row has `messages`, too."""
