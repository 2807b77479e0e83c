"""A row of feedback as it is stored: hashed, identified, and with what the checks look at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.feedback.forms import Edit, Report, Thumbs
from cai.feedback.words import agrees, refuses
from cai.hashing import content_hash, short_id
from cai.quality.personal import personal_data
from cai.records import Message, Prompt
from cai.wording import listed

if TYPE_CHECKING:
    from cai.feedback.forms import FeedbackRow

__all__ = ["Stored", "answer_id", "stored"]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept of a row in the JSON of its record; all else lies in columns.

    `value` is `up` or `down` of thumbs, the text of an edit, and the category of a report.
    """

    kind: str
    messages: tuple[Message, ...]
    answer: str
    value: str
    note: str
    model: str
    source: str
    time: str

    @property
    def prompt(self) -> Prompt:
        """The prompt as a conversation."""
        return Prompt(self.messages)


def stored(row: FeedbackRow) -> tuple[Stored, dict[str, object]]:
    """The record of a row, and its columns in `cai.feedback.tables`.

    `row_id` depends on all that the row says, its user and session (as hashes) included, and not
    on consent: a row that takes consent back has the id of the row that it takes back. `draw` does
    not depend on the salt, so that the same rows are drawn in every folder.
    """
    prompt = row.asked
    kept = Stored(
        row.kind,
        prompt.messages,
        row.answer,
        _value(row),
        row.note if isinstance(row, Report) else "",
        row.model,
        row.source or "",
        row.moment,
    )
    draw = content_hash(kept)
    columns: dict[str, object] = {
        "row_id": content_hash([draw, row.user, row.session]),
        "kind": row.kind,
        "prompt_id": prompt.id,
        "answer_id": answer_id(prompt.id, row.answer),
        "edit_id": answer_id(prompt.id, row.edited) if isinstance(row, Edit) else None,
        "value": row.value if isinstance(row, Thumbs) else "",
        "user": row.user,
        "session": row.session,
        "time": kept.time,
        "draw": draw,
        "log_length": math.log(len(row.answer.strip())),
        "agrees": int(agrees(row.answer)),
        "refuses": int(refuses(row.answer)),
        "personal": _personal(kept),
        "consent": int(row.consent is True),
    }
    return kept, columns


def answer_id(prompt_id: str, text: str) -> str:
    """16 hexadecimal digits for an answer to a prompt; blanks around it do not matter."""
    return short_id([prompt_id, "answer", text.strip()])


def _value(row: FeedbackRow) -> str:
    if isinstance(row, Thumbs):
        return row.value
    if isinstance(row, Edit):
        return row.edited
    assert isinstance(row, Report)
    return row.category


def _personal(kept: Stored) -> str:
    """The kinds of personal data in any text of a row; empty where none was found."""
    texts = (*(turn.content for turn in kept.messages), kept.answer, kept.value, kept.note)
    found = {kind: None for text in texts for kind, _ in personal_data(text)}
    return listed(found) if found else ""
