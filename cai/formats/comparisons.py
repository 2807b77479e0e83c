"""Rows that compare two answers, in their several layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.formats.records import Record
from cai.formats.values import answer_of, number_of, prompt_of, role_of, shown, source_of, text_of
from cai.intake.hh_rlhf import parse_dialogue
from cai.intake.rows import broken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.formats.records import RecordLayout
    from cai.intake.rows import Place

    Row = Mapping[str, Any]

__all__ = ["dialogues", "openai_pair", "plain_pair", "undecided_pair", "whole_conversations"]

_DIFFER = "the dialogues differ before the last answer"


def dialogues(row: Row, place: Place) -> Record:
    """Two dialogues of hh-rlhf. A few differ before the last answer and compare nothing.

    Raises:
        InputError: they do not end with an answer.
    """
    chosen, rejected = parse_dialogue(row["chosen"]), parse_dialogue(str(row.get("rejected", "")))
    if len(chosen) < 2 or not rejected or chosen[-1].role != "assistant":
        raise broken(
            place,
            f"the dialogue {str(row['chosen'])[:60]!r}",
            "two dialogues that end with an answer of the assistant",
            "Begin every turn with a blank line and 'Human:' or 'Assistant:'.",
        )
    if rejected[:-1] != chosen[:-1]:
        return Record("hh-rlhf", "pair", place, (), note=_DIFFER)
    answers = (chosen[-1].content, rejected[-1].content)
    source = source_of(row)
    return Record("hh-rlhf", "pair", place, chosen[:-1], answers, p=1.0, source=source)


def plain_pair(row: Row, place: Place) -> Record:
    """`prompt`, `chosen` and `rejected`; without `p` the choice is certain (p = 1)."""
    prompt = prompt_of(row.get("prompt"), row, place)
    answers = (answer_of(row["chosen"], place), answer_of(row["rejected"], place))
    p = row.get("p")
    # The reward layout is a part of the preferences of an export; `margin` alone tells it.
    layout: RecordLayout = "reward" if "margin" in row and "orders" not in row else "trl"
    return Record(
        layout=layout,
        kind="pair",
        place=place,
        prompt=prompt.messages,
        answers=answers,
        p=1.0 if p is None else number_of(p, "p", place),
        tags=prompt.tags,
        source=source_of(row),
    )


def undecided_pair(row: Row, place: Place) -> Record:
    """A pair of an export that has no winner; what it says about `p` is no preference."""
    prompt = prompt_of(row.get("prompt"), row, place)
    answers = (answer_of(row["first"], place), answer_of(row["second"], place))
    p = row.get("p")
    return Record(
        layout="trl",
        kind="pair",
        place=place,
        prompt=prompt.messages,
        answers=answers,
        p=None if p is None else number_of(p, "p", place),
        tags=prompt.tags,
        source=source_of(row),
        note=text_of(row, "note", place) or text_of(row, "outcome", place) or "undecided",
    )


def whole_conversations(row: Row, place: Place) -> Record:
    """UltraFeedback, and TRL's preferences with an implicit prompt: both lists begin with it.

    With `score_chosen` and `score_rejected`, p is the first where they sum to one, as in exports
    of this toolkit; ½ where they are equal; and otherwise 1.
    """
    turns: list[list[Any]] = []
    for key in ("chosen", "rejected"):
        value = row[key]
        if not isinstance(value, list) or len(value) < 2 or role_of(value[-1]) != "assistant":
            raise broken(
                place,
                f"{key}: {shown(value)}",
                "a conversation that ends with an answer of the assistant",
                "Give both answers as whole conversations, or both as one message each.",
            )
        turns.append(value)
    chosen, rejected = turns
    answers = (answer_of(chosen[-1:], place), answer_of(rejected[-1:], place))
    prompt = prompt_of(chosen[:-1], row, place)
    if prompt.messages != prompt_of(rejected[:-1], row, place).messages:
        return Record("ultrafeedback", "pair", place, (), note=_DIFFER)
    ratings = _scores(row, place)
    return Record(
        layout="ultrafeedback",
        kind="pair",
        place=place,
        prompt=prompt.messages,
        answers=answers,
        p=_p_of_scores(ratings) if row.get("p") is None else number_of(row["p"], "p", place),
        ratings=ratings,
        tags=prompt.tags,
        source=source_of(row),
    )


def openai_pair(row: Row, place: Place) -> Record:
    """A line of OpenAI's preference fine-tuning format, of text alone."""
    asked = row["input"]
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list):
        raise broken(
            place,
            f"input: {shown(asked)}",
            "an object with a list of 'messages'",
            "Put the turns of the prompt under input.messages.",
        )
    if asked.get("tools"):
        raise broken(
            place,
            f"input.tools: {shown(asked['tools'])}",
            "no tools: answers here are texts",
            "Leave out rows that call tools.",
        )
    prompt = prompt_of(asked["messages"], row, place)
    outputs = (row["preferred_output"], row.get("non_preferred_output"))
    answers = (answer_of(outputs[0], place), answer_of(outputs[1], place))
    return Record("openai", "pair", place, prompt.messages, answers, p=1.0)


def _scores(row: Row, place: Place) -> tuple[float, ...]:
    keys = ("score_chosen", "score_rejected")
    if any(row.get(key) is None for key in keys):
        return ()
    return tuple(number_of(row[key], key, place) for key in keys)


def _p_of_scores(scores: tuple[float, ...]) -> float:
    if not scores:
        return 1.0
    chosen, rejected = scores
    if chosen == rejected:
        return 0.5
    sums_to_one = abs(chosen + rejected - 1.0) < 1e-9 and 0.0 <= chosen <= 1.0
    return chosen if sums_to_one else 1.0
