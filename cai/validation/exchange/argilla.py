"""Argilla 2: records as `rg.Record.to_dict` writes and `rg.Record.from_dict` reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from cai.intake.rows import broken
from cai.validation.exchange.said import Said, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cai.intake.rows import Place
    from cai.validation.exchange.showing import Showing

__all__ = ["read_records", "records"]

_ID = re.compile(r"(?P<item>.+)-(?P<key>[0-9a-f]{16})")
_QUESTIONS = ("choice", "confidence", "principle", "note", "refuses")


def records(showings: Iterable[Showing]) -> bytes:
    """One record per line.

    The id of a record holds the key as well, because a server refuses metadata that its data set
    does not declare.
    """
    lines = [
        {
            "id": f"{one.item_id}-{one.key}",
            "fields": {
                "prompt": one.prompt,
                "answer_a": one.answer_a,
                "answer_b": one.answer_b,
            },
            "metadata": {},
            "suggestions": {},
            "responses": {},
            "vectors": {},
        }
        for one in showings
    ]
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def read_records(rows: Iterable[tuple[Place, Mapping[str, Any]]]) -> Iterator[Said]:
    """Yield the responses of every user to every record; suggestions are no labels.

    Raises:
        InputError: a record is not of the exported format.
    """
    for place, record in rows:
        found = _ID.fullmatch(str(record.get("id", "")))
        item, key = (found["item"], found["key"]) if found else (str(record.get("id", "")), "")
        for user, answers in _by_user(record.get("responses"), place).items():
            yield Said(
                place=place,
                item_id=item,
                annotator=user,
                choice=word(answers.get("choice")),
                key=key,
                confidence=word(answers.get("confidence")),
                principle=str(answers.get("principle") or ""),
                note=str(answers.get("note") or ""),
                refuses=word(answers.get("refuses")),
            )


def _by_user(responses: Any, place: Place) -> dict[str, dict[str, Any]]:
    """The answers to our questions, by user and question."""
    found: dict[str, dict[str, Any]] = {}
    try:
        for question in _QUESTIONS:
            for answer in (responses or {}).get(question, ()):
                user = answer.get("user_id")
                name = "" if user in (None, "", "None") else str(user)
                found.setdefault(name, {})[question] = answer["value"]
    except (AttributeError, KeyError, TypeError) as error:
        raise broken(
            place,
            f"responses of another form ({error})",
            "{question: [{'value': …, 'user_id': …}]}",
            "Write the records with record.to_dict(), one per line.",
        ) from error
    return found
