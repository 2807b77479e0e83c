"""The layouts of Open Character Training: traits, with questions that bring them out.

Hand-written files are a JSON list of `{"trait", "questions"}`, whatever they are called; generated
ones are JSONL and have `additional_questions`, too. A trait is `text`; a `clarification` becomes
the note. Questions are kept in a file of prompts beside the constitution.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cai.constitution.exchange.draft import Draft, Entry, Unknown, Written
from cai.constitution.exchange.source import broken, json_lines, json_value, kind_of, wording
from cai.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.exchange.draft import Beside, Question, QuestionKind
    from cai.constitution.exchange.source import Source
    from cai.constitution.models import Constitution
    from cai.constitution.principle import Principle

__all__ = ["SHAPE", "fits", "read", "write", "write_jsonl"]

SHAPE = '[{"trait": "...", "questions": ["..."]}], or such objects as JSONL'
_KINDS: tuple[QuestionKind, ...] = ("questions", "additional_questions")
_LONGEST_QUESTION = 200_000


def fits(value: Any) -> bool:
    """Whether a JSON value, or the value of a line, looks like this layout."""
    one = value[0] if isinstance(value, list) and value else value
    return isinstance(one, dict) and "trait" in one


def read(source: Source) -> Draft:
    """Read traits and questions.

    Raises:
        InputError: the file does not fit the layout.
    """
    if source.text.lstrip().startswith("["):
        value = json_value(source)
        places = [(f"[{i}]", one) for i, one in enumerate(value)]
    else:
        places = [(f"line {number}", one) for number, one in json_lines(source)]
    unknown = Unknown()
    entries = tuple(_entry(source, where, one, unknown) for where, one in places)
    return Draft(entries, warnings=unknown.warnings())


def _entry(source: Source, where: str, one: Any, unknown: Unknown) -> Entry:
    if not isinstance(one, dict) or "trait" not in one:
        raise broken(source, where, kind_of(one), "an object with 'trait'", "Correct it.")
    unknown.note(one, ("trait", "clarification", *_KINDS))
    entry = Entry(where, text=wording(source, f"{where}.trait", one["trait"]))
    if one.get("clarification") is not None:
        note = wording(source, f"{where}.clarification", one["clarification"])
        entry = replace(entry, note=f"Clarification: {note}")
    questions: list[Question] = []
    for kind in _KINDS:
        asked = one.get(kind) or []
        if not isinstance(asked, list):
            raise broken(source, f"{where}.{kind}", kind_of(asked), "a list of texts")
        questions += [
            (kind, wording(source, f"{where}.{kind}[{i}]", text, longest=_LONGEST_QUESTION))
            for i, text in enumerate(asked)
        ]
    return replace(entry, questions=tuple(questions))


def write(principles: Sequence[Principle], beside: Beside, _whole: Constitution) -> Written:
    """Write a hand-written file: traits and their questions."""
    rows = [{"trait": p.text, "questions": _asked(beside, p, "questions")} for p in principles]
    further = sum(len(_asked(beside, p, "additional_questions")) for p in principles)
    warnings = list(_advice(rows))
    if further:
        warnings.append(
            f"{counted(further, 'additional question')} left out: hand-written files have none. "
            "The layout open-character-jsonl has."
        )
    text = json.dumps(rows, ensure_ascii=False, indent=4)
    return Written(text, tuple(principles), tuple(warnings))


def write_jsonl(principles: Sequence[Principle], beside: Beside, _whole: Constitution) -> Written:
    """Write a generated file: traits, their questions and the additional ones."""
    rows = [
        {"trait": p.text, **{kind: _asked(beside, p, kind) for kind in _KINDS}} for p in principles
    ]
    # The originals were written by pandas, which escapes slashes.
    lines = (json.dumps(row, separators=(",", ":")).replace("/", "\\/") for row in rows)
    text = "".join(f"{line}\n" for line in lines)
    return Written(text, tuple(principles), _advice(rows))


def _asked(beside: Beside, principle: Principle, kind: QuestionKind) -> list[str]:
    return [text for one, text in beside.questions.get(principle.id, ()) if one == kind]


def _advice(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    bare = sum(not row["questions"] for row in rows)
    if not bare:
        return ()
    why = "from which that project makes its data; --prompts FILE puts some in"
    return (f"{counted(bare, 'trait')} without questions, {why}.",)
