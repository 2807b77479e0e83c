"""Comparisons as dialogues (hh-rlhf), and as plain rows with a prompt and two answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from cai.intake.hh_rlhf import is_hh_row, parse_dialogue
from cai.intake.rows import broken, prompt_of_row
from cai.validation.exchange.published.comparison import Comparison, compared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.intake.rows import Place
    from cai.records import Message

__all__ = ["FORM", "Choice", "choice_of", "dialogues", "models_of", "plain", "text_of"]

Choice = Literal["first", "second", "tie"]

FORM = (
    "{'chosen': '\\n\\nHuman: … \\n\\nAssistant: …', 'rejected': …} (hh-rlhf); 'prompt' with "
    "'chosen' and 'rejected', or with 'first', 'second' and 'label'; 'input' with 'output_1', "
    "'output_2' and 'label' (llmbar), or with 'target_scores' (hhh); 'instruction' with "
    "'response1', 'response2' and 'annotator1' (pandalm)"
)

_CHOICES: dict[str, Choice] = {
    "first": "first",
    "1": "first",
    "a": "first",
    "second": "second",
    "2": "second",
    "b": "second",
    "tie": "tie",
    "0": "tie",
}


def dialogues(row: dict[str, Any], place: Place) -> Comparison | str:
    """Two dialogues that differ in their last answer (Bai et al. 2022, arXiv:2204.05862)."""
    if not is_hh_row(row):
        raise broken(
            place,
            f"a row with {', '.join(map(repr, sorted(row)))[:120]}",
            "a row with the dialogues 'chosen' and 'rejected' alone",
            "Leave --format out, or name the format of this row.",
        )
    chosen, rejected = _dialogue(row["chosen"], place), _dialogue(row.get("rejected"), place)
    if chosen[:-1] != rejected[:-1]:
        return "the dialogues differ before the last answer"
    if not all(turn.content for turn in (*chosen, rejected[-1])):
        return "a turn is empty"
    turns = [{"role": turn.role, "content": turn.content} for turn in chosen[:-1]]
    prompt = prompt_of_row({"messages": turns, "tags": row.get("tags")}, place)
    return compared(prompt, chosen[-1].content, rejected[-1].content, [("", "first")])


def plain(row: dict[str, Any], place: Place) -> Comparison | str:
    """`prompt` with `chosen` and `rejected`, or with `first`, `second` and `label`."""
    if {"first", "second"} & row.keys():
        names: tuple[str, str] = ("first", "second")
        choice = choice_of(row.get("label"), place)
    else:
        names, choice = ("chosen", "rejected"), "first"
    texts = [text_of(row.get(name), place) for name in names]
    if not all(texts):
        return "an answer is empty"
    prompt = prompt_of_row({key: row.get(key) for key in ("prompt", "tags")}, place)
    return compared(prompt, texts[0], texts[1], [("", choice)], models_of(row, names))


def choice_of(label: Any, place: Place) -> Choice:
    """`first`, `second` or `tie`; also 1, 2 and 0, or a and b."""
    found = None if isinstance(label, bool | float) else _CHOICES.get(str(label).strip().lower())
    if found is None:
        raise broken(
            place,
            f"the label {str(label)[:40]!r}",
            "first, second or tie; or 1, 2 and 0",
            "Write which of both answers is better.",
        )
    return found


def models_of(row: Mapping[str, Any], names: tuple[str, str]) -> tuple[str, str] | None:
    """Who wrote the answers: `<name>_model`, such as `chosen_model`; None when one is missing."""
    first, second = (row.get(f"{name}_model") for name in names)
    return (first, second) if isinstance(first, str) and isinstance(second, str) else None


def text_of(value: Any, place: Place) -> str:
    """A text, or the content of a list with one message of the assistant."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0].get("content") if value[0].get("role") == "assistant" else None
    if not isinstance(value, str):
        raise broken(place, f"the answer {str(value)[:60]!r}", FORM, "Write each answer as a text.")
    return value.strip()


def _dialogue(text: Any, place: Place) -> tuple[Message, ...]:
    turns = parse_dialogue(text) if isinstance(text, str) else ()
    if len(turns) < 2 or turns[-1].role != "assistant":
        raise broken(
            place,
            f"the dialogue {str(text)[:60]!r}",
            "two dialogues that end with an answer of the assistant",
            "Begin every turn with a blank line and 'Human:' or 'Assistant:'.",
        )
    return turns
