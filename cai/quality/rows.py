"""From a row of plain data to a `Sample`. A row that fits no format becomes a `broken` sample.

`cai.formats` tells the layouts and reads them. Here, rows are read less strictly: what training
would refuse can be looked at all the same, such as a turn of a tool.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from cai.errors import InputError
from cai.formats.cells import Cells
from cai.formats.recognise import read_cells
from cai.hashing import short_id
from cai.quality.records import Sample, Turn
from cai.records import Message, Prompt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.formats.records import Record
    from cai.quality.records import Kind
    from cai.records import Role

__all__ = ["broken_sample", "sample_of"]

_RATINGS = ("rating", "label", "score")
_NUMBERS = ("p", "score_chosen", "score_rejected")
_PASSED_OVER = (*_RATINGS, "history", "system")
"""Read here, or not at all; training is strict about them."""
_NOWHERE = (Path(), 0)


def sample_of(row: Any, index: int, place: str) -> Sample:
    """Read one row. Nothing is raised: what cannot be read is a finding, not a crash."""
    if not isinstance(row, dict):
        return broken_sample(index, place, "the row is no JSON object")
    try:
        return _sample(row, index, place)
    except InputError as problem:
        return broken_sample(index, place, str(problem))


def broken_sample(index: int, place: str, problem: str) -> Sample:
    """A row that cannot be read."""
    return Sample(index, place, place, "broken", problem=problem)


class _LooseCells(Cells):
    """Takes turns of any role and order, parts of messages, and blank texts."""

    __slots__ = ()

    def prompt(self, value: Any) -> Prompt:
        """See `Cells.prompt`."""
        if isinstance(value, list):
            return Prompt(self._turns(value))
        if not isinstance(value, str):
            raise self.broken("a row without a prompt that is a text", "", "")
        return Prompt((Message("user", value),))

    def answer(self, value: Any) -> str:
        """A text, or that of the last message."""
        if isinstance(value, list):
            return self._turns(value)[-1].content
        return self._content(value)

    def number(self, value: Any, key: str) -> float:
        """Any number, out of its range or not."""
        return float(value) if _is_number(value) else super().number(value, key)

    def broken(self, got: str, allowed: str, fix: str) -> InputError:
        """What is wrong, without the place, which a sample has already."""
        return InputError(got)

    def _turns(self, value: list[Any]) -> tuple[Message, ...]:
        if not value or not all(isinstance(item, dict) and "content" in item for item in value):
            raise self.broken("a list without messages, or a message without 'content'", "", "")
        # Whatever the role is, `Turn` takes it.
        roles = (cast("Role", str(item.get("role", ""))) for item in value)
        return tuple(
            Message(role, self._content(item["content"] or ""))
            for role, item in zip(roles, value, strict=True)
        )

    def _content(self, content: Any) -> str:
        """A text, or the texts of a list of parts as OpenAI's chat format has them."""
        if isinstance(content, list):
            texts = [part.get("text") for part in content if isinstance(part, dict)]
            return "\n".join(text for text in texts if isinstance(text, str))
        if not isinstance(content, str):
            raise self.broken(f"a text of type {type(content).__name__}", "", "")
        return content


def _sample(row: Mapping[str, Any], index: int, place: str) -> Sample:
    cells = _LooseCells({k: v for k, v in row.items() if _counts(k, v)}, _NOWHERE)
    record = read_cells(cells)
    if record.kind == "prompt":
        raise InputError("a prompt and no answer")
    if not record.prompt:
        raise InputError(record.note)
    prompt = tuple(Turn(turn.role, turn.content) for turn in record.prompt)
    kind, answers, chosen, ratings = _content(record)
    mark = next((row[key] for key in _RATINGS if _is_number(row.get(key))), None)
    if kind == "demonstration" and mark is not None and cells.asks and cells.given is not None:
        # A rating alone does not say whether a training moves towards the answer.
        kind, chosen, ratings = "rating", 0 if mark is True else None, (float(mark),)
    name = row.get("id") or row.get("prompt_id")
    identity = [[[turn.role, turn.content] for turn in prompt], *answers]
    return Sample(
        index=index,
        place=place,
        id=str(name) if isinstance(name, str | int) else short_id(identity),
        kind=kind,
        prompt=prompt,
        answers=answers,
        chosen=chosen,
        ratings=ratings,
        tags=_tags(row.get("tags")),
        truncated=_truncated(row, len(answers)),
    )


def _counts(key: str, value: Any) -> bool:
    """Whether a cell says something here: not if it is null, or of another type than it should."""
    if value is None or key in _PASSED_OVER:
        return False
    if key in _NUMBERS:
        return _is_number(value)
    return key != "input" or isinstance(value, str | dict)


def _content(record: Record) -> tuple[Kind, tuple[str, ...], int | None, tuple[float, ...]]:
    """Kind, answers, which one is better, and ratings."""
    answers, ratings = record.answers, record.ratings
    if record.kind == "pair":
        undecided = record.note or record.p is None or record.p == 0.5
        return "comparison", answers, None if undecided else int((record.p or 0.0) < 0.5), ()
    if record.kind in ("ranking", "scored"):
        ordered = record.kind == "ranking" and not ratings
        return "comparison", answers, 0 if ordered else _best(ratings), ratings
    if record.kind == "edit":
        answers = answers[1:]
    return "demonstration", answers, 0, ()


def _best(ratings: tuple[float, ...]) -> int | None:
    """The place of the best rating, where one alone is best."""
    alone = len(ratings) > 1 and ratings.count(max(ratings)) == 1
    return ratings.index(max(ratings)) if alone else None


def _is_number(value: Any) -> TypeGuard[bool | int | float]:
    return isinstance(value, bool | int | float)


def _tags(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        return ()
    return tuple(dict.fromkeys(str(item).strip() for item in items if str(item).strip()))


def _truncated(row: Mapping[str, Any], answers: int) -> tuple[bool, ...]:
    """Which answers hit the limit, where the file says so; `finish_reason` is OpenAI's word."""
    found = row.get("truncated", row.get("finish_reason"))
    items = found if isinstance(found, list) else [found] * answers
    if found is None or len(items) != answers:
        return ()
    return tuple(item is True or item == "length" for item in items)
