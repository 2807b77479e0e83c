"""Files of comparisons, conversations, rankings and ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.hashing import short_id
from cai.intake.hh_rlhf import is_hh_row, parse_dialogue
from cai.intake.json_rows import json_rows
from cai.intake.rows import broken, prompt_of_row
from cai.train.examples import Demonstration, Preference, Ranking, Rating

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.intake.rows import Place
    from cai.records import Message
    from cai.train.examples import Origin

__all__ = ["Example", "read_file", "read_lines"]

Example = Demonstration | Preference | Ranking | Rating

_ALLOWED = (
    "`prompt` with `chosen` and `rejected` (and `p`), `prompt` with `ranking`, `prompt` with "
    "`answer` (and `rating`), `messages` that end with an answer, or hh-rlhf dialogues"
)


def read_file(path: Path, origin: Origin) -> Iterator[Example]:
    """Yield the examples of a JSONL file, plain or gzip.

    A comparison without `p` is certain (p = 1). One with p below ½ is turned round. Comparisons of
    equal answers teach nothing and are left out, as are those with p = ½.

    Raises:
        InputError: a line cannot be read.
    """
    for _, example in read_lines(path, origin):
        if example is not None:
            yield example


def read_lines(path: Path, origin: Origin) -> Iterator[tuple[int, Example | None]]:
    """The same with the number of the line, and None for what is left out.

    Raises:
        InputError: a line cannot be read.
    """
    for number, row in json_rows(path):
        yield number, _example(row, (path, number), origin)


def _example(row: dict[str, Any], place: Place, origin: Origin) -> Example | None:
    if is_hh_row(row):
        return _dialogues(row, place, origin)
    if "chosen" in row and "rejected" in row:
        texts = _text(row["chosen"], place), _text(row["rejected"], place)
        return _preference(_prompt(row, place), *texts, _number(row, "p", 1.0, place), origin)
    if "ranking" in row:
        answers = tuple(_text(answer, place) for answer in row["ranking"])
        prompt = _prompt(row, place)
        return Ranking(prompt, answers, _id(prompt, *answers), origin) if answers[1:] else None
    if "answer" in row:
        prompt, answer = _prompt(row, place), _text(row["answer"], place)
        if "rating" in row:
            rating = _number(row, "rating", 0.0, place)
            return Rating(prompt, answer, rating, _id(prompt, answer), origin)
        return Demonstration(prompt, answer, _id(prompt, answer), origin)
    messages = row.get("messages")
    if isinstance(messages, list) and messages and _role(messages[-1]) == "assistant":
        prompt = prompt_of_row({"messages": messages[:-1]}, place).messages
        answer = _text([messages[-1]], place)
        return Demonstration(prompt, answer, _id(prompt, answer), origin)
    raise broken(place, f"a row with {', '.join(sorted(row)) or 'nothing'}", _ALLOWED, "Rename.")


def _dialogues(row: dict[str, Any], place: Place, origin: Origin) -> Preference | None:
    chosen, rejected = parse_dialogue(row["chosen"]), parse_dialogue(str(row.get("rejected", "")))
    if len(chosen) < 2 or not rejected or chosen[-1].role != "assistant":
        raise broken(
            place,
            f"the dialogue {str(row['chosen'])[:60]!r}",
            "two dialogues that end with an answer of the assistant",
            "Begin every turn with a blank line and 'Human:' or 'Assistant:'.",
        )
    # A few comparisons differ before the last answer: they do not compare two answers.
    if rejected[:-1] != chosen[:-1]:
        return None
    return _preference(chosen[:-1], chosen[-1].content, rejected[-1].content, 1.0, origin)


def _preference(
    prompt: tuple[Message, ...], chosen: str, rejected: str, p: float, origin: Origin
) -> Preference | None:
    if p < 0.5:
        chosen, rejected, p = rejected, chosen, 1.0 - p
    if chosen == rejected or p == 0.5:
        return None
    return Preference(prompt, chosen, rejected, p, _id(prompt, chosen, rejected), origin)


def _prompt(row: dict[str, Any], place: Place) -> tuple[Message, ...]:
    prompt = row.get("prompt")
    key = "messages" if isinstance(prompt, list) else "prompt"
    return prompt_of_row({key: prompt}, place).messages


def _text(value: Any, place: Place) -> str:
    """A text, or the content of a list with one message of the assistant."""
    if isinstance(value, list) and len(value) == 1 and _role(value[0]) == "assistant":
        value = value[0].get("content")
    if not isinstance(value, str):
        raise broken(place, f"{str(value)[:60]!r}", "a text", "Write each answer as a text.")
    return value


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


def _number(row: dict[str, Any], key: str, default: float, place: Place) -> float:
    value = row.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise broken(place, f"{key}: {value!r}", "a number", "Write it without quotes.")
    if key == "p" and not 0.0 <= value <= 1.0:
        raise broken(place, f"p: {value}", "a probability from 0 to 1", "Correct it.")
    return float(value)


def _id(prompt: tuple[Message, ...], *answers: str) -> str:
    return short_id([[[m.role, m.content] for m in prompt], *answers])
