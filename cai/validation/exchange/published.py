"""Published comparisons: two answers to a prompt, and which one a person chose."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.errors import InputError
from cai.hashing import content_hash
from cai.intake.hh_rlhf import is_hh_row, parse_dialogue
from cai.intake.json_rows import json_rows
from cai.intake.rows import broken, prompt_of_row
from cai.store import rows_for
from cai.validation.exchange.keep import GivenLabel, Imported, keep_labels
from cai.validation.labels import Labels
from cai.validation.records import Annotation, item_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cai.intake.rows import Place
    from cai.records import Message, Prompt
    from cai.store import RunStore
    from cai.validation.records import AnnotatorKind

__all__ = ["Comparison", "Published", "keep_published", "read_comparisons"]

_FORM = (
    "{'chosen': '\\n\\nHuman: … \\n\\nAssistant: …', 'rejected': …}, or 'prompt' with two answers"
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers to a prompt, without the blanks around them."""

    prompt: Prompt
    chosen: str
    rejected: str

    @property
    def answers(self) -> tuple[str, str]:
        """Both in an order drawn by hash, which does not tell which one was chosen."""
        first, second = sorted(
            (self.chosen, self.rejected), key=lambda text: content_hash([self.prompt.id, text])
        )
        return first, second


@dataclass(frozen=True, slots=True)
class Published:
    """What a file holds: how many rows, what can be used of them, and why the others cannot."""

    read: int
    comparisons: tuple[Comparison, ...]
    left_out: Mapping[str, int]


def read_comparisons(path: Path, kind: AnnotatorKind) -> Published:
    """Read a JSONL file, plain or gzip, of hh-rlhf dialogues or of prompt, chosen and rejected.

    The whole file is held in memory.

    Args:
        path: the file.
        kind: of whoever chose. A file of this toolkit's AI labels is no file of people's choices.

    Raises:
        InputError: the file cannot be read, or holds no comparison.
    """
    if not path.is_file():
        raise InputError(f"Got {path}, which is no file. Name a JSONL file of comparisons.")
    found: dict[str, Comparison] = {}
    left_out: Counter[str] = Counter()
    read = 0
    for number, row in json_rows(path):
        read += 1
        _require_kind(row, kind, (path, number))
        one = _comparison(row, (path, number))
        if isinstance(one, str):
            left_out[one] += 1
        elif one.prompt.id in found:
            left_out["the prompt was there before"] += 1
        else:
            found[one.prompt.id] = one
    if not found:
        raise InputError(f"{path} holds no comparison that can be used. Allowed: lines of {_FORM}.")
    return Published(read, tuple(found.values()), dict(left_out))


def keep_published(
    store: RunStore, comparisons: Iterable[Comparison], annotator: str, kind: AnnotatorKind
) -> Imported:
    """Store who was chosen, as a label of each pair that the run has made of the comparisons.

    Pairs of all splits get their label; what may be read of it is decided where labels are used.

    Raises:
        UsageError: the annotator's name cannot be used, or belongs to another kind.
    """
    chosen = {one.prompt.id: one.chosen for one in comparisons}
    given = [
        GivenLabel(
            item_id(pair.id),
            annotator,
            Annotation("first" if pair.first == chosen[row.prompt.id] else "second"),
        )
        for row, _ in rows_for(store, "report")
        if row.prompt.id in chosen
        for pair in row.pairs
        if pair.kind == "samples" and chosen[row.prompt.id] in (pair.first, pair.second)
    ]
    return keep_labels(Labels(store), given, kind)


def _require_kind(row: Mapping[str, Any], kind: AnnotatorKind, place: Place) -> None:
    if kind == "human" and row.get("source") == "ai":
        raise broken(
            place,
            "a comparison with source 'ai', whose choice is a judge's",
            "choices of people with --kind human",
            "Name a file of people's choices, or import these with --kind model.",
        )


def _comparison(row: dict[str, Any], place: Place) -> Comparison | str:
    """The comparison, or why it is none."""
    if is_hh_row(row):
        chosen, rejected = _dialogue(row["chosen"], place), _dialogue(row.get("rejected"), place)
        if chosen[:-1] != rejected[:-1]:
            return "the dialogues differ before the last answer"
        if not all(turn.content for turn in (*chosen, rejected[-1])):
            return "a turn is empty"
        turns = [{"role": turn.role, "content": turn.content} for turn in chosen[:-1]]
        prompt = prompt_of_row({"messages": turns, "tags": row.get("tags")}, place)
        texts = chosen[-1].content, rejected[-1].content
    else:
        texts = _text(row.get("chosen"), place), _text(row.get("rejected"), place)
        if not all(texts):
            return "an answer is empty"
        prompt = prompt_of_row({"prompt": row.get("prompt"), "tags": row.get("tags")}, place)
    if texts[0] == texts[1]:
        return "the answers are equal"
    return Comparison(prompt, *texts)


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


def _text(value: Any, place: Place) -> str:
    """A text, or the content of a list with one message of the assistant."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0].get("content") if value[0].get("role") == "assistant" else None
    if not isinstance(value, str):
        raise broken(
            place, f"the answer {str(value)[:60]!r}", _FORM, "Write each answer as a text."
        )
    return value.strip()
