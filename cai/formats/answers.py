"""Rows about single answers, rankings and prompts, in their several layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.formats.records import Record
from cai.formats.values import answer_of, number_of, prompt_of, role_of, shown, source_of, text_of
from cai.intake.rows import broken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.intake.rows import Place

    Row = Mapping[str, Any]

__all__ = [
    "alpaca_answer",
    "bare_prompt",
    "conversation",
    "edit",
    "label",
    "plain_answer",
    "ranking",
    "rating",
]


def edit(row: Row, place: Place) -> Record:
    """A text, its critique and its revision."""
    prompt = prompt_of(row.get("prompt"), row, place)
    return Record(
        layout="edits",
        kind="edit",
        place=place,
        prompt=prompt.messages,
        answers=(answer_of(row["original"], place), answer_of(row["revision"], place)),
        critique=text_of(row, "critique", place),
        principle=text_of(row, "principle", place),
        tags=prompt.tags,
        source=source_of(row),
    )


def ranking(row: Row, place: Place) -> Record:
    """Answers, best first, perhaps with a score each."""
    prompt = prompt_of(row.get("prompt"), row, place)
    ranked, scores = row["ranking"], row.get("scores") or []
    if not isinstance(ranked, list):
        raise broken(
            place,
            f"ranking: {shown(ranked)}",
            "a list of answers, best first",
            "Write the answers in [brackets].",
        )
    answers = tuple(answer_of(answer, place) for answer in ranked)
    if not isinstance(scores, list) or (scores and len(scores) != len(answers)):
        raise broken(
            place,
            f"scores: {shown(scores)} for {len(answers)} answers",
            "a list of as many numbers as there are answers",
            "Correct it, or leave `scores` out.",
        )
    return Record(
        layout="rankings",
        kind="ranking",
        place=place,
        prompt=prompt.messages,
        answers=answers,
        ratings=tuple(number_of(score, "scores", place) for score in scores),
        tags=prompt.tags,
        source=source_of(row),
    )


def rating(row: Row, place: Place) -> Record:
    """An answer and a number for it."""
    prompt = prompt_of(row.get("prompt"), row, place)
    return Record(
        layout="ratings",
        kind="rating",
        place=place,
        prompt=prompt.messages,
        answers=(answer_of(row["answer"], place),),
        ratings=(number_of(row["rating"], "rating", place),),
        tags=prompt.tags,
        source=source_of(row),
    )


def label(row: Row, place: Place) -> Record:
    """An answer that is good or bad."""
    prompt, good = prompt_of(row.get("prompt"), row, place), row["label"]
    if not isinstance(good, bool):
        raise broken(place, f"label: {shown(good)}", "true or false", "Write it without quotes.")
    return Record(
        layout="kto",
        kind="label",
        place=place,
        prompt=prompt.messages,
        answers=(answer_of(row["completion"], place),),
        label=good,
        tags=prompt.tags,
        source=source_of(row),
    )


def alpaca_answer(row: Row, place: Place) -> Record:
    """Instruction and input, joined by a blank line, and the output."""
    for key in ("history", "system"):
        if row.get(key):
            raise broken(
                place,
                f"'{key}' in a row with 'instruction'",
                "'instruction', 'input' and 'output' of one turn",
                "Write the conversation as 'messages'.",
            )
    asked, more = text_of(row, "instruction", place), text_of(row, "input", place)
    prompt = prompt_of(f"{asked}\n\n{more}" if more else asked, row, place)
    answers = (answer_of(row["output"], place),)
    return Record("alpaca", "answer", place, prompt.messages, answers, tags=prompt.tags)


def plain_answer(row: Row, place: Place) -> Record:
    """A prompt and its answer, under `answer` or `completion`."""
    prompt = prompt_of(row.get("prompt"), row, place)
    answers = (answer_of(row.get("answer", row.get("completion")), place),)
    source = source_of(row)
    return Record("trl", "answer", place, prompt.messages, answers, tags=prompt.tags, source=source)


def conversation(row: Row, place: Place) -> Record:
    """A conversation that ends with an answer, or one that waits for it."""
    turns = row["messages"]
    if isinstance(turns, list) and turns and role_of(turns[-1]) == "assistant":
        prompt = prompt_of(turns[:-1], row, place)
        answers = (answer_of(turns[-1:], place),)
        return Record("trl", "answer", place, prompt.messages, answers, tags=prompt.tags)
    prompt = prompt_of(turns if isinstance(turns, list) else [turns], row, place)
    return Record("rl-prompts", "prompt", place, prompt.messages, tags=prompt.tags)


def bare_prompt(row: Row, place: Place) -> Record:
    """A prompt and no answer."""
    prompt = prompt_of(row["prompt"], row, place)
    return Record("rl-prompts", "prompt", place, prompt.messages, tags=prompt.tags)
