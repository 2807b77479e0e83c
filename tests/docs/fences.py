"""The fences of a Markdown document, and the convention that they follow.

`bash` holds commands that `make docs-check` carries out, in their order; `bash exits 1` those
whose last one is meant to end with that code; `bash not-run: REASON` those that are not carried
out. `text` is what they print. Other languages are left alone. Comments of one line say the rest,
so that what is shown is what is carried out:

- `<!-- docs-check: file PATH -->` right above a fence writes its text to PATH;
- `<!-- docs-check: append PATH -->` adds it to the end of PATH;
- `<!-- docs-check: run COMMAND -->` carries out what the text beside it describes.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Fence", "documents", "fence_problems", "read_fences", "spans"]

_COMMENT = re.compile(r"<!-- docs-check: (file|append|run) (.+) -->")
_COMMAND = re.compile(r"(\$ )?(cai|make|pip|python|python3|\.venv\S*/cai) ")
_NOT_RUN = "not-run:"
_EXITS = re.compile(r"exits ([0-9]+)")


@dataclass(frozen=True)
class Fence:
    """One fence of a document."""

    line: int
    """Where it begins, counted from 1."""
    language: str
    rest: str
    """What stands behind the language."""
    text: str
    file: str | None = None
    """Where its text is written to."""
    append: bool = False

    @property
    def has_commands(self) -> bool:
        """Whether it is one of commands, carried out or not."""
        return self.language == "bash"

    @property
    def reason(self) -> str:
        """Why its commands are not carried out; empty when they are."""
        return self.rest.removeprefix(_NOT_RUN).strip() if self.rest.startswith(_NOT_RUN) else ""

    @property
    def exits(self) -> int:
        """The code with which its last command is meant to end."""
        found = _EXITS.fullmatch(self.rest)
        return int(found[1]) if found else 0


def documents(root: Path) -> list[Path]:
    """The documents whose commands are carried out."""
    examples = (path for path in root.glob("examples/*/*.md") if path.parent.name[0].isdigit())
    return [root / "README.md", *sorted(root.glob("docs/*.md")), *sorted(examples)]


def read_fences(document: Path) -> list[Fence]:
    """All fences of a document, in their order."""
    fences, begun, body, above = [], None, [], ""
    for number, line in enumerate(document.read_text(encoding="utf-8").split("\n"), start=1):
        stripped = line.strip()
        if begun is None and stripped.startswith("```"):
            begun = (number, *_info(stripped), above)
        elif begun is not None and stripped == "```":
            fences.append(_fence(begun, body))
            begun, body = None, []
        elif begun is not None:
            body.append(line)
        elif (comment := _COMMENT.fullmatch(stripped)) and comment[1] == "run":
            fences.append(Fence(number, "bash", "", f"{comment[2]}\n"))
        above = stripped or above
    return fences


def spans(document: Path) -> list[str]:
    """Commands of `cai` that a document names within its sentences."""
    text = re.sub(r"^ *```.*?^ *```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    return [" ".join(span.split()) for span in re.findall(r"`(cai [^`]+)`", text)]


def fence_problems(document: Path) -> list[str]:
    """Where a document leaves the convention, each as a sentence with its line."""
    found = []
    for fence in read_fences(document):
        where = f"{document.name}:{fence.line}"
        if fence.has_commands:
            if fence.rest and not fence.reason and not fence.exits:
                found.append(
                    f"{where}: got ```bash {fence.rest}. Allowed: nothing, 'exits N', or 'not-run: "
                    "REASON' behind bash."
                )
        elif fence.language in ("console", "sh", "shell"):
            found.append(
                f"{where}: got ```{fence.language}. Allowed: bash for commands, text for output."
            )
        elif fence.language in ("", "text") and _COMMAND.match(fence.text):
            found.append(
                f"{where}: a fence that begins with a command: {fence.text.splitlines()[0]!r}. "
                "Write ```bash, or ```bash not-run: REASON."
            )
    return found


def _info(line: str) -> tuple[str, str]:
    language, _, rest = line.strip("`").strip().partition(" ")
    return language, rest.strip()


def _fence(begun: tuple[int, str, str, str], body: list[str]) -> Fence:
    line, language, rest, above = begun
    comment = _COMMENT.fullmatch(above)
    if comment and comment[1] == "run":
        comment = None
    return Fence(
        line=line,
        language=language,
        rest=rest,
        text=textwrap.dedent("\n".join([*body, ""])),
        file=comment[2] if comment else None,
        append=bool(comment and comment[1] == "append"),
    )
