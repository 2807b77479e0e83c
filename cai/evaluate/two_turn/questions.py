"""Files of questions with a second turn, as MT-bench has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.errors import InputError
from cai.intake.json_rows import json_rows
from cai.intake.rows import broken

if TYPE_CHECKING:
    from pathlib import Path

    from cai.intake.rows import Place

__all__ = ["Question", "read_questions"]

_ALLOWED = "`question_id`, `category` and `turns`, a list of two texts"
_FIX = "Write the row so."
_MOST = 80
"""Characters of an id or a category."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a user asks first, and then, whatever the answer was."""

    id: str
    category: str
    turns: tuple[str, str]


def read_questions(path: Path) -> list[Question]:
    """The questions of a file (Zheng et al. 2023, arXiv:2306.05685, MT-bench).

    Args:
        path: JSONL, plain or gzip; further keys, such as `reference`, are passed over.

    Raises:
        InputError: a row is broken, an id occurs twice, or there is none.
    """
    found: dict[str, Question] = {}
    for number, row in json_rows(path):
        question = _question(row, (path, number))
        if question.id in found:
            raise broken(
                (path, number),
                f"the question_id '{question.id}' once more",
                "ids that differ",
                "Rename one of them.",
            )
        found[question.id] = question
    if not found:
        raise InputError(f"{path} holds no question. Allowed: rows with {_ALLOWED}.")
    return list(found.values())


def _question(row: dict[str, Any], place: Place) -> Question:
    name, category, turns = (row.get(key) for key in ("question_id", "category", "turns"))
    if isinstance(name, bool) or not isinstance(name, int | str) or not str(name).strip():
        raise broken(place, f"the question_id {name!r:.40}", _ALLOWED, _FIX)
    if not isinstance(category, str) or not category.strip():
        raise broken(place, f"the category {category!r:.40}", _ALLOWED, _FIX)
    texts = turns if isinstance(turns, list) else []
    if len(texts) != 2 or not all(isinstance(text, str) and text.strip() for text in texts):
        raise broken(place, f"the turns {turns!r:.60}", _ALLOWED, _FIX)
    return Question(str(name)[:_MOST], category.strip()[:_MOST], (texts[0], texts[1]))
