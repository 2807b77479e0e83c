"""What one row of a file says, whatever its layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cai.formats.layouts import Layout

if TYPE_CHECKING:
    from cai.intake.rows import Place
    from cai.records import Message

__all__ = ["Record", "RecordKind", "RecordLayout"]

RecordKind = Literal["pair", "ranking", "scored", "rating", "label", "answer", "edit", "prompt"]
RecordLayout = Layout | Literal["hh-rlhf", "completions"]


@dataclass(frozen=True, slots=True)
class Record:
    """A prompt and the answers of one row, as the row gives them.

    What `answers` holds depends on `kind`:

    | kind | answers | says |
    | --- | --- | --- |
    | pair | two | `p`: probability that the first is better; None where nobody said |
    | ranking | two or more, best first | `ratings`: a score each, or nothing |
    | scored | one or more | `ratings`: a score each, or nothing |
    | rating | one | `ratings`: one number, on whatever scale the file uses |
    | label | one | `label`: good or bad |
    | answer | one | an answer to imitate |
    | edit | original, revision | `critique` and `principle` |
    | prompt | none | |

    Args:
        layout: how the row was written.
        kind: see above.
        place: file and line (or row of a Parquet file), from 1.
        prompt: ends with a user turn, unless read less strictly (see `Cells`); empty where `note`
            says that there is no common prompt.
        answers: texts, blanks included.
        p: of a pair.
        ratings: see above. A pair from UltraFeedback has the scores of both answers.
        label: of a label.
        critique: of an edit.
        principle: of an edit.
        tags: of the prompt.
        source: who labelled or wrote it, as the row says: `ai`, `human`, `revision`, or empty.
        note: why a pair compares nothing; empty when it does.
    """

    layout: RecordLayout
    kind: RecordKind
    place: Place
    prompt: tuple[Message, ...]
    answers: tuple[str, ...] = ()
    p: float | None = None
    ratings: tuple[float, ...] = ()
    label: bool | None = None
    critique: str = ""
    principle: str = ""
    tags: tuple[str, ...] = ()
    source: str = ""
    note: str = ""
