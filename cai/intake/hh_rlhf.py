"""Dialogues in the format of the HH-RLHF data: the prompts of its comparisons.

The data: Bai et al. 2022, "Training a Helpful and Harmless Assistant with Reinforcement Learning
from Human Feedback" (arXiv:2204.05862), section 2. A dialogue is one text in which every turn
begins with a blank line and `Human:` or `Assistant:`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cai.intake.json_rows import json_rows
from cai.intake.rows import broken, prompt_of_row
from cai.records import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cai.records import Prompt, Role

__all__ = ["is_hh_row", "parse_dialogue", "read_hh"]

# A speaker counts only at the very start or after a blank line: "Human:" inside a sentence is text.
_SPEAKER = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")
_ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}


def read_hh(path: Path) -> Iterator[Prompt]:
    """Yield the prompt of each comparison: its `chosen` dialogue without the last answer.

    Where an answer holds several turns of the assistant in a row, all of them belong to it.

    Raises:
        InputError: a line has no such dialogue.
    """
    for number, row in json_rows(path):
        text = row.get("chosen")
        if not isinstance(text, str):
            raise broken(
                (path, number),
                "a row without a text under 'chosen'",
                "{'chosen': '\\n\\nHuman: … \\n\\nAssistant: …', 'rejected': …}",
                "Use format 'jsonl' for rows with 'prompt' or 'messages'.",
            )
        messages = _prompt_turns(parse_dialogue(text))
        if not messages:
            raise broken(
                (path, number),
                f"the dialogue {text[:60]!r}",
                "a text that begins with 'Human:' and has '\\n\\nAssistant:' after a human turn",
                "Begin every turn with a blank line and 'Human:' or 'Assistant:'.",
            )
        turns = [{"role": m.role, "content": m.content} for m in messages]
        yield prompt_of_row({"messages": turns, "tags": row.get("tags")}, (path, number))


def is_hh_row(row: Mapping[str, Any]) -> bool:
    """Whether a row holds such a dialogue and nothing that is plainer to read."""
    return not {"prompt", "messages"} & row.keys() and isinstance(row.get("chosen"), str)


def parse_dialogue(text: str) -> tuple[Message, ...]:
    """Split a dialogue into its turns, without the blanks around each.

    Turns of one role that follow each other are one turn, with a blank line between their texts.
    Returns nothing when the text does not begin with a speaker.
    """
    start, *parts = _SPEAKER.split(text)
    if start:
        return ()
    turns: list[Message] = []
    for speaker, said in zip(parts[::2], parts[1::2], strict=True):
        role, content = _ROLES[speaker], said.strip()
        if turns and turns[-1].role == role:
            joined = "\n\n".join(part for part in (turns.pop().content, content) if part)
            turns.append(Message(role, joined))
        else:
            turns.append(Message(role, content))
    return tuple(turns)


def _prompt_turns(turns: tuple[Message, ...]) -> tuple[Message, ...]:
    """The turns before the last turn of the assistant; nothing when there is none."""
    answers = [i for i, turn in enumerate(turns) if turn.role == "assistant"]
    return turns[: answers[-1]] if answers else ()
