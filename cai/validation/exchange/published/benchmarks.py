"""Rows of benchmarks for judges: LLMBar, HHH alignment and PandaLM."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cai.intake.hh_rlhf import parse_dialogue
from cai.intake.rows import broken, prompt_of_row, prompt_of_text
from cai.validation.exchange.published.comparison import compared
from cai.validation.exchange.published.rows import choice_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.intake.rows import Place
    from cai.records import Prompt
    from cai.validation.exchange.published.comparison import Comparison
    from cai.validation.exchange.published.rows import Choice

__all__ = ["hhh", "llmbar", "pandalm"]

_ANNOTATOR = re.compile(r"annotator_?\d+")


def llmbar(row: dict[str, Any], place: Place) -> Comparison | str:
    """`input`, `output_1`, `output_2`, and `label` 1 or 2 (Zeng et al. 2023, arXiv:2310.07641)."""
    prompt = prompt_of_text(row.get("input"), place)
    texts = text_of(row.get("output_1"), place), text_of(row.get("output_2"), place)
    return compared(prompt, *texts, [("", choice_of(row.get("label"), place))])


def pandalm(row: dict[str, Any], place: Place) -> Comparison | str:
    """`instruction`, `input`, two responses and several annotators (arXiv:2306.05087).

    Annotators say 1, 2, or 0 for a tie; each keeps their own label. `cmp_key` names the models
    that answered. An `input` that is empty or no text is left out.
    """
    parts = [row.get("instruction"), row.get("input")]
    text = "\n\n".join(part for part in parts if isinstance(part, str) and part.strip())
    texts = text_of(row.get("response1"), place), text_of(row.get("response2"), place)
    votes = [
        (key, choice_of(row[key], place))
        for key in row
        if _ANNOTATOR.fullmatch(key) and row[key] is not None
    ]
    models = str(row.get("cmp_key", "")).split("_")
    names = (models[0], models[1]) if len(models) == 2 and all(models) else None
    return compared(prompt_of_text(text, place), *texts, votes, names)


def hhh(row: dict[str, Any], place: Place) -> Comparison | str:
    """Multiple choice between two answers, as in HHH alignment (Askell et al. 2021, 2112.00861).

    BIG-bench has `input` with `target_scores` {answer: score}; the same on the Hugging Face hub has
    `targets` {choices, labels}; others have `prompt`, `options` and `gold` (a number from 0, or the
    option itself).
    """
    scores = _scores(row, place)
    if len(scores) != 2:
        return "there are more or fewer than two options"
    (first, one), (second, other) = scores
    choice: Choice = "tie" if one == other else "first" if one > other else "second"
    prompt = _prompt(row, place)
    return compared(prompt, text_of(first, place), text_of(second, place), [("", choice)])


def _prompt(row: Mapping[str, Any], place: Place) -> Prompt:
    text = row.get("input", row.get("prompt"))
    turns = parse_dialogue(text) if isinstance(text, str) else ()
    # Some inputs end with "Assistant:", where the answer is to follow.
    if turns and turns[-1].role == "assistant" and not turns[-1].content:
        turns = turns[:-1]
    if not turns or turns[-1].role != "user" or not all(turn.content for turn in turns):
        return prompt_of_row({"prompt": text, "tags": row.get("tags")}, place)
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    return prompt_of_row({"messages": messages, "tags": row.get("tags")}, place)


def _scores(row: Mapping[str, Any], place: Place) -> list[tuple[Any, float]]:
    """Each option with its score."""
    scores, targets = row.get("target_scores"), row.get("targets")
    options: Any = row.get("options", row.get("choices"))
    marks: Any = None
    if isinstance(scores, dict):
        options, marks = list(scores), list(scores.values())
    elif isinstance(targets, dict):
        options, marks = targets.get("choices"), targets.get("labels")
    elif isinstance(options, list):
        marks = _marks(options, row)
    if (
        not isinstance(options, list)
        or not isinstance(marks, list)
        or len(options) != len(marks)
        or not all(isinstance(mark, int | float) for mark in marks)
    ):
        raise broken(
            place,
            f"a row with {', '.join(map(repr, sorted(row)))[:120]}",
            "'target_scores' {answer: score}, 'targets' {choices, labels}, or 'options' and 'gold'",
            "Say which of both options is right.",
        )
    return list(zip(options, (float(mark) for mark in marks), strict=True))


def _marks(options: list[Any], row: Mapping[str, Any]) -> list[int] | None:
    for key in ("gold", "label", "answer"):
        gold = row.get(key)
        if isinstance(gold, str) and gold in options:
            gold = options.index(gold)
        if isinstance(gold, int) and not isinstance(gold, bool) and 0 <= gold < len(options):
            return [int(i == gold) for i in range(len(options))]
    return None
