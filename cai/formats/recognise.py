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
    scored_answers,
)
from cai.formats.cells import GIVEN, Cells, role_of
from cai.formats.comparisons import (
    dialogues,
    openai_pair,
    plain_pair,
    undecided_pair,
    whole_conversations,
)
from cai.intake.hh_rlhf import is_hh_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cai.formats.records import Record
    from cai.intake.rows import Place

__all__ = ["read_cells", "record_of_row"]

_ALLOWED = (
    "`prompt` with `chosen` and `rejected` (and `p`), with `ranking`, with `completions` and "
    "their scores, with `answer` (and `rating`), with `completion` (and `label`), with `response`, "
    "with `original` and `revision`, or alone; "
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
    return read_cells(Cells(row, place))


def read_cells(cells: Cells) -> Record:
    """The same for a row whose cells say themselves how strictly they are read.

    Raises:
        InputError: the row has no known layout, or is broken.
    """
    row = cells.row
    if is_hh_row(row):
        return dialogues(cells)
    # In Parquet, a column that a row does not use is there as null.
    used = {key for key, value in row.items() if value is not None}
    for keys, read in _READERS:
        if used.isdisjoint(keys) or not all(key in row for key in keys):
            continue
        if _fits(keys[0], cells):
            # Half a comparison is no prompt: what is missing must be said, not passed over.
            if read is bare_prompt and not used.isdisjoint(_HALVES):
                break
            return read(cells)
    names = ", ".join(f"{key:.40}" for key in sorted(row)[:12])
    raise cells.broken(f"a row with {names or 'nothing'}", _ALLOWED, "Rename the keys.")


def _fits(key: str, cells: Cells) -> bool:
    """Whether a row holds what a key promises, where this may mean other things."""
    value = cells.row[key]
    objects = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    if key == "completions":
        return bool(objects) and all("response" in item or "text" in item for item in value)
    if key in ("response", "output") and not (isinstance(value, str) or objects):
        return False
    # A conversation may have its answer once more beside it.
    return key not in GIVEN or cells.asks or cells.row.get("messages") is None


def _pair(cells: Cells) -> Record:
    """Whole conversations, or answers beside a prompt."""
    chosen = cells.row["chosen"]
    several = isinstance(chosen, list) and len(chosen) > 1
    whole = several and (role_of(chosen[0]) != "assistant" or not cells.asks)
    return whole_conversations(cells) if whole else plain_pair(cells)


_READERS: tuple[tuple[tuple[str, ...], Callable[[Cells], Record]], ...] = (
    (("input", "preferred_output"), openai_pair),
    (("instruction", "output"), alpaca_answer),
    (("original", "revision"), edit),
    (("chosen", "rejected"), _pair),
    (("first", "second"), undecided_pair),
    (("ranking",), ranking),
    (("completions",), scored_answers),
    (("answer", "rating"), rating),
    (("completion", "label"), label),
    (("answer",), plain_answer),
    (("completion",), plain_answer),
    (("response",), plain_answer),
    (("output",), plain_answer),
    (("messages",), conversation),
    (("prompt",), bare_prompt),
)
"""By keys, the more telling ones first: an UltraFeedback row has `messages`, too."""
