"""From a row of plain data to a `Sample`. A row that fits no format becomes a `broken` sample.

Formats: `prompt` with `chosen` and `rejected` (texts, or messages with or without the prompt; TRL,
UltraFeedback binarized), hh-rlhf dialogues (arXiv:2204.05862), `instruction` with `completions`
that have scores (UltraFeedback, arXiv:2310.01377), `prompt` with one answer (and a rating or label,
as for KTO), and `messages` that end with an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from cai.hashing import short_id
from cai.intake.hh_rlhf import is_hh_row, parse_dialogue
from cai.quality.records import Sample, Turn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.quality.records import Kind

__all__ = ["broken_sample", "sample_of"]

_PROMPTS = ("prompt", "instruction", "question")
_ANSWERS = ("answer", "completion", "response", "output")
_RATINGS = ("rating", "label", "score")
_SCORES = ("overall_score", "score", "rating", "fine-grained_score")


class _UnreadableError(Exception):
    """The row fits no format; the message says why."""


def sample_of(row: Any, index: int, place: str) -> Sample:
    """Read one row. Nothing is raised: what cannot be read is a finding, not a crash."""
    try:
        if not isinstance(row, dict):
            raise _UnreadableError("the row is no JSON object")
        return _sample(row, index, place)
    except _UnreadableError as problem:
        return broken_sample(index, place, str(problem))


def broken_sample(index: int, place: str, problem: str) -> Sample:
    """A row that cannot be read."""
    return Sample(index, place, place, "broken", problem=problem)


def _sample(row: Mapping[str, Any], index: int, place: str) -> Sample:
    kind, prompt, answers, chosen, ratings = _content(row)
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


_Content = tuple["Kind", tuple[Turn, ...], tuple[str, ...], int | None, tuple[float, ...]]


def _content(row: Mapping[str, Any]) -> _Content:
    if row.get("chosen") is not None and row.get("rejected") is not None:
        return _comparison(row)
    if isinstance(row.get("completions"), list):
        return _rated_answers(row)
    for key in _ANSWERS:
        if row.get(key) is not None and any(row.get(name) is not None for name in _PROMPTS):
            answer = _last(row[key])
            rating = next((row[name] for name in _RATINGS if _is_number(row.get(name))), None)
            if rating is None:
                return "demonstration", _prompt(row), (answer,), 0, ()
            # A rating alone does not say whether a training moves towards the answer.
            target = 0 if rating is True else None
            return "rating", _prompt(row), (answer,), target, (float(rating),)
    if "messages" in row:
        turns = _turns(row["messages"])
        if len(turns) < 2 or turns[-1].role != "assistant":
            raise _UnreadableError("'messages' do not end with an answer of the assistant")
        return "demonstration", turns[:-1], (turns[-1].content,), 0, ()
    raise _UnreadableError("the keys " + ", ".join(repr(str(key)[:40]) for key in list(row)[:12]))


def _comparison(row: Mapping[str, Any]) -> _Content:
    if is_hh_row(row):
        sides = [_dialogue(row["chosen"]), _dialogue(row["rejected"])]
    else:
        sides = [_side(row["chosen"]), _side(row["rejected"])]
    leading = [side[:-1] for side in sides]
    prompt = _prompt(row) if any(row.get(key) is not None for key in _PROMPTS) else leading[0]
    if not prompt:
        raise _UnreadableError("there is no prompt")
    if leading[0] != leading[1]:
        raise _UnreadableError("the two dialogues differ before the last answer")
    p = row.get("p")
    p = float(p) if _is_number(p) else 1.0
    chosen = None if p == 0.5 else int(p < 0.5)
    return "comparison", prompt, (sides[0][-1].content, sides[1][-1].content), chosen, ()


def _rated_answers(row: Mapping[str, Any]) -> _Content:
    answers, ratings = [], []
    for item in row["completions"]:
        if not isinstance(item, dict):
            raise _UnreadableError("'completions' holds something else than objects")
        answers.append(_text(item.get("response", item.get("text")), "a completion"))
        ratings += [float(item[key]) for key in _SCORES if _is_number(item.get(key))][:1]
    if not answers:
        raise _UnreadableError("'completions' is empty")
    if len(ratings) != len(answers):
        return "comparison", _prompt(row), tuple(answers), None, ()
    best = max(ratings)
    chosen = ratings.index(best) if ratings.count(best) == 1 and len(ratings) > 1 else None
    return "comparison", _prompt(row), tuple(answers), chosen, tuple(ratings)


def _prompt(row: Mapping[str, Any]) -> tuple[Turn, ...]:
    key = next((name for name in _PROMPTS if row.get(name) is not None), None)
    if key is None:
        raise _UnreadableError("there is no prompt")
    if isinstance(row[key], list):
        return _turns(row[key])
    text = _text(row[key], f"'{key}'")
    more = row.get("input")
    return (Turn("user", f"{text}\n{more}" if isinstance(more, str) and more else text),)


def _side(value: Any) -> tuple[Turn, ...]:
    return _turns(value) if isinstance(value, list) else (Turn("assistant", _last(value)),)


def _last(value: Any) -> str:
    return _turns(value)[-1].content if isinstance(value, list) else _text(value, "an answer")


def _dialogue(text: Any) -> tuple[Turn, ...]:
    turns = parse_dialogue(_text(text, "a dialogue"))
    if len(turns) < 2 or turns[-1].role != "assistant":
        raise _UnreadableError("a dialogue does not end with an answer of the assistant")
    return tuple(Turn(turn.role, turn.content) for turn in turns)


def _turns(value: Any) -> tuple[Turn, ...]:
    if not isinstance(value, list) or not value:
        raise _UnreadableError("an empty list of messages, or none")
    if not all(isinstance(item, dict) and "content" in item for item in value):
        raise _UnreadableError("a message without 'content'")
    return tuple(Turn(str(item.get("role", "")), _parts(item["content"])) for item in value)


def _parts(content: Any) -> str:
    """A text, or the texts of a list of parts as OpenAI's chat format has them."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(text for text in texts if isinstance(text, str))
    return "" if content is None else _text(content, "the content of a message")


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise _UnreadableError(f"{what} is of type {type(value).__name__} and no text")
    return value


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
