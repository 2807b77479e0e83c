"""Prompts with several candidates whose gold scores are known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.errors import InputError
from cai.formats.read import read_rows
from cai.intake.rows import broken, prompt_of_row

if TYPE_CHECKING:
    from pathlib import Path

    from cai.intake.rows import Place
    from cai.records import Prompt

__all__ = ["CandidateSet", "read_candidates"]

_ALLOWED = (
    "`prompt` and `candidates`, a list of two or more objects with `text`, `gold` (a number, the "
    "higher the better) and perhaps `score`, what the reward model gave it"
)


@dataclass(frozen=True, slots=True)
class CandidateSet:
    """Answers to one prompt. `scores` are those of the file; empty where it has none."""

    prompt: Prompt
    texts: tuple[str, ...]
    gold: tuple[float, ...]
    scores: tuple[float, ...] = ()


def read_candidates(path: Path, limit: int | None = None) -> list[CandidateSet]:
    """The prompts of a file with their candidates.

    Args:
        path: JSONL, plain or gzip, or Parquet; a row has the keys that `_ALLOWED` names.
        limit: most prompts.

    Raises:
        InputError: a row is broken, there are none, or some have scores and others do not.
    """
    found: list[CandidateSet] = []
    for number, row in read_rows(path):
        if limit is not None and len(found) >= limit:
            break
        found.append(_candidates(row, (path, number)))
    if not found:
        raise InputError(f"{path} holds no row. Allowed: rows with {_ALLOWED}.")
    if len({bool(one.scores) for one in found}) > 1:
        raise InputError(
            f"{path}: some rows have a 'score' for their candidates and others have none. Allowed: "
            "all of them, or none, and the reward model scores them. Add or remove them."
        )
    return found


def _candidates(row: dict[str, Any], place: Place) -> CandidateSet:
    given = row.get("candidates")
    if not isinstance(given, list) or len(given) < 2 or not all(isinstance(c, dict) for c in given):
        got = "'candidates' that is no list of two or more objects"
        raise broken(place, got, _ALLOWED, "Write the candidates so.")
    prompt = prompt_of_row({k: v for k, v in row.items() if k != "candidates"}, place)
    texts = tuple(_text(one.get("text"), place) for one in given)
    gold = tuple(_number(one.get("gold"), "gold", place) for one in given)
    if all(one.get("score") is None for one in given):
        return CandidateSet(prompt, texts, gold)
    scores = tuple(_number(one.get("score"), "score", place) for one in given)
    return CandidateSet(prompt, texts, gold, scores)


def _text(value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise broken(place, f"a 'text' of type {type(value).__name__}", _ALLOWED, "Write the text.")
    return value


def _number(value: Any, key: str, place: Place) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise broken(place, f"'{key}': {value!r:.40}", _ALLOWED, "Write a finite number.")
    return float(value)
