"""From a foreign file to a constitution: ids, missing wordings, provenance, and what was lost."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cai.constitution.exchange.chats import chat_lines, question_lines
from cai.constitution.exchange.ids import slug
from cai.constitution.exchange.layouts import LAYOUTS
from cai.constitution.exchange.notices import notices
from cai.constitution.exchange.principles import principles_of
from cai.constitution.exchange.recognise import is_markdown, recognised
from cai.constitution.exchange.source import read_source
from cai.constitution.files import ConstitutionFile
from cai.constitution.models import Constitution
from cai.constitution.write import as_yaml
from cai.errors import InputError
from cai.wording import counted, listed
from cai.yaml import parse_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cai.constitution.exchange.draft import Chat, Draft, Entry, Question, Votes
    from cai.constitution.exchange.layouts import Layout
    from cai.constitution.exchange.principles import Taken
    from cai.constitution.exchange.source import Source

__all__ = ["Imported", "import_constitution"]

_MOST_PRINCIPLES = 2000
_MOST_CHARACTERS = 1_000_000
"""Of a list in plain text or Markdown."""
_HUMP = re.compile("(?<=[a-z])(?=[A-Z])")
_LICENCE = "its licence is not known here, check it before you share this"


@dataclass(frozen=True, slots=True)
class Imported:
    """A constitution from a foreign file, and what else was in it."""

    file: ConstitutionFile
    layout: Layout
    source: Source
    warnings: tuple[str, ...]
    """What was made, changed or could not be kept."""
    chats: tuple[Chat, ...]
    questions: Mapping[str, tuple[Question, ...]]
    """By the id of their principle."""
    votes: Mapping[str, Votes]
    """How each principle did, by its id, where the file says it."""

    @property
    def constitution(self) -> Constitution:
        """The same, ready to be used."""
        return Constitution(
            name=self.file.name,
            version=self.file.version,
            summary=self.file.summary,
            principles=tuple(sorted(self.file.principles, key=lambda p: p.id)),
        )

    def yaml(self, schema: str) -> str:
        """The constitution as a YAML file.

        Args:
            schema: where editors find the JSON Schema, relative to the file.
        """
        data = self.file.model_dump(mode="json", exclude_defaults=True)
        return as_yaml(data, f"# yaml-language-server: $schema={schema}")

    def chat_lines(self) -> str:
        """The few-shot chats as JSONL."""
        return chat_lines(self.chats)

    def question_lines(self) -> str:
        """The questions as JSONL of prompts."""
        return question_lines(self.questions)


def import_constitution(
    path: Path,
    *,
    layout: Layout | None = None,
    name: str | None = None,
    version: str = "1.0.0",
    summary: str | None = None,
    complete: bool = False,
) -> Imported:
    """Read a constitution in a foreign layout.

    Wordings are kept as they are, but for blanks around them. A missing `text` is made as
    `cai.constitution.exchange.derive` says; other missing wordings stay empty unless `complete`.

    Args:
        path: the foreign file.
        layout: recognised when absent; `text` also means Markdown in a file that is called so.
        name: turned into a slug; that of the file when absent.
        version: of the new constitution.
        summary: that of the file, or a sentence on where it is from, when absent.
        complete: writes generic wordings where there are none.

    Raises:
        InputError: the file has no known layout or does not fit it, or there are no principles.
    """
    source = read_source(path)
    chosen = layout or recognised(source)
    if chosen == "text" and is_markdown(source):
        chosen = "markdown"
    _check_size(source, chosen)
    draft = LAYOUTS[chosen].read(source)
    entries, repeated = _unique(_some(draft, source))
    taken = principles_of(entries, chosen, complete=complete)
    about = {
        "name": slug(_HUMP.sub("-", path.stem) if name is None else name) or "imported",
        "version": version,
        "summary": " ".join((summary or draft.summary).split())
        or f"Imported from {source.name} (layout {chosen}).",
    }
    return Imported(
        file=_file(about, taken, source, chosen),
        layout=chosen,
        source=source,
        warnings=(*draft.warnings, *repeated, *notices(taken)),
        chats=draft.chats,
        questions={one.principle.id: one.entry.questions for one in taken if one.entry.questions},
        votes={one.principle.id: one.entry.votes for one in taken if one.entry.votes},
    )


def _file(
    about: Mapping[str, str], taken: Sequence[Taken], source: Source, layout: Layout
) -> ConstitutionFile:
    """The constitution as a file, with its origin in every principle and in the changelog."""
    origin = f"{source.name} (SHA-256 {source.sha256})"
    changes = [f"Imported from {origin}, layout {layout}."]
    principles = [
        {
            **one.principle.model_dump(exclude_defaults=True),
            "source": f"{origin}, {one.entry.where}; {_LICENCE}.",
        }
        for one in taken
    ]
    data = {
        "format": 1,
        **about,
        "principles": principles,
        "changelog": [{"version": about["version"], "changes": changes}],
    }
    return parse_model(ConstitutionFile, data, f"{source.name}, as a constitution", InputError)


def _check_size(source: Source, layout: Layout) -> None:
    size = len(source.text)
    if layout in ("text", "markdown") and size > _MOST_CHARACTERS:
        raise InputError(
            f"{source.name}: got {size:,} characters of {layout}. Allowed: at most "
            f"{_MOST_CHARACTERS:,}. Name a file of principles alone."
        )


def _some(draft: Draft, source: Source) -> tuple[Entry, ...]:
    found = len(draft.entries)
    if not found:
        raise InputError(f"{source.name}: no principle was found. Check the file and --format.")
    if found > _MOST_PRINCIPLES:
        raise InputError(
            f"{source.name}: got {found:,} principles. Allowed: at most {_MOST_PRINCIPLES:,}. "
            "Check that this is a file of principles, and name the right --format."
        )
    return draft.entries


def _unique(entries: Sequence[Entry]) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Entries without those that repeat another in every word; names make a difference."""
    kept: dict[Entry, Entry] = {}
    repeated = []
    for entry in entries:
        alike = replace(entry, where="", note="", questions=(), votes=None)
        if alike in kept:
            repeated.append(entry)
            first = kept[alike]
            entry = replace(first, questions=first.questions + entry.questions)
        kept[alike] = entry
    if not repeated:
        return tuple(kept.values()), ()
    places = listed(entry.where for entry in repeated[:3])
    gone = counted(len(repeated), "principle")
    return tuple(kept.values()), (f"{gone} left out as repeated, first {places}.",)
