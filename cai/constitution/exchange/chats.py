"""What foreign files hold besides principles, as JSONL of our own: chats, and questions.

Chats are rows of `messages`, which `cai train sft` reads, too. Questions are rows of `prompt` and
`tags`, which `prompts.path` reads; a tag names the principle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from cai.constitution.exchange.draft import Unknown
from cai.constitution.exchange.source import broken, json_lines, kind_of, wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cai.constitution.exchange.draft import Chat, Question, QuestionKind
    from cai.constitution.exchange.source import Source

__all__ = ["chat_lines", "chats_of", "question_lines", "questions_of", "read_chat"]

_LONGEST_TURN = 200_000
_ADDITIONAL = "additional-questions"


def read_chat(source: Source, where: str, value: Any, unknown: Unknown) -> Chat:
    """Read a list of `{role, content}`.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, list) or not value:
        raise broken(source, where, kind_of(value), "a list of {role, content}", "Correct it.")
    turns = []
    for i, turn in enumerate(value):
        here = f"{where}[{i}]"
        if not isinstance(turn, dict) or not {"role", "content"} <= turn.keys():
            raise broken(source, here, kind_of(turn), "an object with 'role' and 'content'")
        unknown.note(turn, ("role", "content"))
        role = wording(source, f"{here}.role", turn["role"], longest=40)
        wording(source, f"{here}.content", turn["content"], longest=_LONGEST_TURN)
        # Kept to the last blank: nobody but a model reads it.
        turns.append((role, turn["content"]))
    return tuple(turns)


def chat_lines(chats: Iterable[Chat]) -> str:
    """Chats as JSONL."""
    rows = (
        {"messages": [{"role": role, "content": content} for role, content in chat]}
        for chat in chats
    )
    return _lines(rows)


def chats_of(source: Source) -> tuple[Chat, ...]:
    """Read what `chat_lines` wrote.

    Raises:
        InputError: a line is something else.
    """
    chats = []
    for number, row in json_lines(source):
        if not isinstance(row, dict) or "messages" not in row:
            raise broken(source, f"line {number}", kind_of(row), "an object with 'messages'")
        chats.append(read_chat(source, f"line {number}", row["messages"], Unknown()))
    return tuple(chats)


def question_lines(questions: Mapping[str, Sequence[Question]]) -> str:
    """Questions by the principle's id as JSONL of prompts; their tags name the principle."""
    rows = (
        {"prompt": text, "tags": [one, *([_ADDITIONAL] if kind != "questions" else [])]}
        for one, asked in questions.items()
        for kind, text in asked
    )
    return _lines(rows)


def questions_of(source: Source) -> dict[str, list[Question]]:
    """Read what `question_lines` wrote: questions by the first tag.

    Raises:
        InputError: a line is something else.
    """
    found: dict[str, list[Question]] = {}
    for number, row in json_lines(source):
        tags = row.get("tags") if isinstance(row, dict) else None
        if not isinstance(tags, list) or not tags or not all(isinstance(t, str) for t in tags):
            raise broken(
                source,
                f"line {number}",
                kind_of(row),
                "an object with 'prompt' and 'tags', whose first tag is the id of a principle",
            )
        text = wording(source, f"line {number}", row.get("prompt"), longest=_LONGEST_TURN)
        kind: QuestionKind = "additional_questions" if _ADDITIONAL in tags else "questions"
        found.setdefault(tags[0], []).append((kind, text))
    return found


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(orjson.dumps(row).decode() + "\n" for row in rows)
