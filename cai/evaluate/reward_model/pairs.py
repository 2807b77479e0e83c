"""Labelled pairs with their subsets, as RewardBench and the layouts of training files have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.errors import InputError
from cai.formats.read import read_rows
from cai.formats.recognise import record_of_row
from cai.hashing import short_id
from cai.intake.rows import broken

if TYPE_CHECKING:
    from pathlib import Path

    from cai.intake.rows import Place
    from cai.records import Message

__all__ = ["LabelledPair", "read_labelled_pairs"]

_SUBSET = "subset"
_MOST = 80
"""Characters of the name of a subset."""


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """A prompt and two answers of which `chosen` is the better one. `subset` may be empty."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    subset: str = ""

    @property
    def group(self) -> str:
        """A hash of the prompt: pairs with the same one are not independent."""
        return short_id([[m.role, m.content] for m in self.prompt])


def read_labelled_pairs(path: Path, limit: int | None = None) -> tuple[list[LabelledPair], int]:
    """The decided pairs of a file, and how many rows were left out.

    A row has `prompt`, `chosen` and `rejected`, as texts or as turns, and perhaps `subset`
    (RewardBench, Lambert et al. 2024, arXiv:2403.13787), or any other layout of comparisons that
    `cai train rm` reads. Left out are pairs without a winner, and those of equal answers.

    Args:
        path: JSONL, plain or gzip, or Parquet.
        limit: most pairs.

    Raises:
        InputError: a row is no comparison, or there is no pair.
    """
    found: list[LabelledPair] = []
    left_out = 0
    for number, row in read_rows(path):
        if limit is not None and len(found) >= limit:
            break
        pair = _pair(row, (path, number))
        if pair is None:
            left_out += 1
        else:
            found.append(pair)
    if not found:
        raise InputError(
            f"{path} holds no pair with a winner; {left_out} rows were left out. Allowed: rows "
            "with prompt, chosen and rejected. Name another file."
        )
    return found, left_out


def _pair(row: dict[str, Any], place: Place) -> LabelledPair | None:
    record = record_of_row(row, place)
    if record.kind != "pair":
        raise broken(
            place,
            f"a row of the kind '{record.kind}'",
            "comparisons: prompt, chosen and rejected, and perhaps subset",
            "Name a file of comparisons.",
        )
    subset = row.get(_SUBSET)
    if subset is not None and not isinstance(subset, str):
        raise broken(
            place,
            f"'subset' of type {type(subset).__name__}",
            "a text",
            "Write its name in quotes.",
        )
    if record.note or record.p is None or record.p == 0.5:
        return None
    first, second = record.answers if record.p > 0.5 else record.answers[::-1]
    if first == second:
        return None
    return LabelledPair(record.prompt, first, second, (subset or "").strip()[:_MOST])
