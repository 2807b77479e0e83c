"""Rows that compare two answers, in their several layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.formats.cells import shown
from cai.formats.records import Record
from cai.intake.hh_rlhf import parse_dialogue

if TYPE_CHECKING:
    from cai.formats.cells import Cells
    from cai.formats.records import RecordLayout

__all__ = ["dialogues", "openai_pair", "plain_pair", "undecided_pair", "whole_conversations"]

_DIFFER = "the dialogues differ before the last answer"


def dialogues(cells: Cells) -> Record:
    """Two dialogues of hh-rlhf. A few differ before the last answer and compare nothing.

    Raises:
        InputError: they do not end with an answer.
    """
    chosen = parse_dialogue(cells.row["chosen"])
    rejected = parse_dialogue(str(cells.row.get("rejected", "")))
    if len(chosen) < 2 or not rejected or chosen[-1].role != "assistant":
        raise cells.broken(
            f"the dialogue {str(cells.row['chosen'])[:60]!r}",
            "two dialogues that end with an answer of the assistant",
            "Begin every turn with a blank line and 'Human:' or 'Assistant:'.",
        )
    if rejected[:-1] != chosen[:-1]:
        return Record("hh-rlhf", "pair", cells.place, (), source=cells.source, note=_DIFFER)
    answers = (chosen[-1].content, rejected[-1].content)
    source = cells.source
    return Record("hh-rlhf", "pair", cells.place, chosen[:-1], answers, p=1.0, source=source)


def plain_pair(cells: Cells) -> Record:
    """`prompt`, `chosen` and `rejected`; without `p` the choice is certain (p = 1)."""
    prompt = cells.asked()
    answers = (cells.answer(cells.row["chosen"]), cells.answer(cells.row["rejected"]))
    row, p = cells.row, cells.row.get("p")
    # The reward layout is a part of the preferences of an export; `margin` alone tells it.
    layout: RecordLayout = "reward" if "margin" in row and "orders" not in row else "trl"
    return Record(
        layout=layout,
        kind="pair",
        place=cells.place,
        prompt=prompt.messages,
        answers=answers,
        p=1.0 if p is None else cells.number(p, "p"),
        tags=prompt.tags,
        source=cells.source,
    )


def undecided_pair(cells: Cells) -> Record:
    """A pair of an export that has no winner; what it says about `p` is no preference."""
    prompt = cells.asked()
    answers = (cells.answer(cells.row["first"]), cells.answer(cells.row["second"]))
    p = cells.row.get("p")
    return Record(
        layout="trl",
        kind="pair",
        place=cells.place,
        prompt=prompt.messages,
        answers=answers,
        p=None if p is None else cells.number(p, "p"),
        tags=prompt.tags,
        source=cells.source,
        note=cells.text("note") or cells.text("outcome") or "undecided",
    )


def whole_conversations(cells: Cells) -> Record:
    """UltraFeedback, and TRL's preferences with an implicit prompt: both lists begin with it.

    With `score_chosen` and `score_rejected`, p is the first where they sum to one, as in exports
    of this toolkit; ½ where they are equal; and otherwise 1.
    """
    turns: list[list[Any]] = []
    for key in ("chosen", "rejected"):
        value = cells.row[key]
        if not isinstance(value, list) or len(value) < 2:
            raise cells.broken(
                f"{key}: {shown(value)}",
                "a conversation that ends with an answer of the assistant",
                "Give both answers as whole conversations, or both as one message each.",
            )
        turns.append(value)
    chosen, rejected = turns
    answers = (cells.answer(chosen[-1:]), cells.answer(rejected[-1:]))
    prompt = cells.prompt(chosen[:-1])
    if prompt.messages != cells.prompt(rejected[:-1]).messages:
        return Record("ultrafeedback", "pair", cells.place, (), source=cells.source, note=_DIFFER)
    ratings, p = _scores(cells), cells.row.get("p")
    return Record(
        layout="ultrafeedback",
        kind="pair",
        place=cells.place,
        prompt=prompt.messages,
        answers=answers,
        p=_p_of_scores(ratings) if p is None else cells.number(p, "p"),
        ratings=ratings,
        tags=prompt.tags,
        source=cells.source,
    )


def openai_pair(cells: Cells) -> Record:
    """A line of OpenAI's preference fine-tuning format, of text alone."""
    asked = cells.row["input"]
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list):
        raise cells.broken(
            f"input: {shown(asked)}",
            "an object with a list of 'messages'",
            "Put the turns of the prompt under input.messages.",
        )
    if asked.get("tools"):
        raise cells.broken(
            f"input.tools: {shown(asked['tools'])}",
            "no tools: answers here are texts",
            "Leave out rows that call tools.",
        )
    prompt = cells.prompt(asked["messages"])
    outputs = (cells.row["preferred_output"], cells.row.get("non_preferred_output"))
    answers = (cells.answer(outputs[0]), cells.answer(outputs[1]))
    source = cells.source
    return Record("openai", "pair", cells.place, prompt.messages, answers, p=1.0, source=source)


def _scores(cells: Cells) -> tuple[float, ...]:
    keys = ("score_chosen", "score_rejected")
    if any(cells.row.get(key) is None for key in keys):
        return ()
    return tuple(cells.number(cells.row[key], key) for key in keys)


def _p_of_scores(scores: tuple[float, ...]) -> float:
    if not scores:
        return 1.0
    chosen, rejected = scores
    if chosen == rejected:
        return 0.5
    sums_to_one = abs(chosen + rejected - 1.0) < 1e-9 and 0.0 <= chosen <= 1.0
    return chosen if sums_to_one else 1.0
