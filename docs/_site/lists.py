"""The site's table of contents: from the links of `docs/index.md`, and from what folders hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pages import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["contents", "write_contents", "write_decisions"]

_SECTION = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
_PAGE = re.compile(r"\]\((?P<page>[^)#:]+\.md)\)")
REFERENCE = """
## Reference

- [Commands](cli/index.md): every command and option of `cai`.
- [Config files](config/index.md): every key of `cai.yaml` and of a training config.
- [Python](api/index.md): what can be imported.
"""


def write_contents(to: Path) -> None:
    """Complete the front page, and the page of examples, with what is below them."""
    index = to / "index.md"
    text = index.read_text(encoding="utf-8") + REFERENCE
    trees = [contents(pages, caption=title) for title, pages in _sections(text)]
    index.write_text("\n".join([text, *trees]), encoding="utf-8")
    _nest(to / "examples/index.md", to / "examples")
    _nest(to / "prompts.md", to / "prompts")


def write_decisions(to: Path) -> None:
    """List the notes on decisions, in their order."""
    names = [page.name for page in _below(to / "decisions")]
    lines = ["# Decisions", "", "Why things are as they are: one short note each.", ""]
    (to / DECISIONS).write_text("\n".join(lines) + contents(names, hidden=False), encoding="utf-8")


def contents(pages: Iterable[str], *, caption: str = "", hidden: bool = True) -> str:
    """The directive that puts pages into the table of contents."""
    options = [":hidden:"] * hidden + [f":caption: {caption}"] * bool(caption)
    return "\n".join(["", "```{toctree}", *options, "", *pages, "```", ""])


def _sections(text: str) -> Iterable[tuple[str, list[str]]]:
    _, *rest = _SECTION.split(text)
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        pages = list(dict.fromkeys(_PAGE.findall(body)))
        if pages:
            yield title, pages


def _nest(page: Path, folder: Path) -> None:
    """Put what a folder holds below a page, and what is deeper below a page of its own, if any."""
    below = _below(folder)
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        own = inner.with_suffix(".md")
        if own.exists():
            _nest(own, inner)
        else:
            below += _below(inner)
    names = [one.relative_to(page.parent).as_posix() for one in below]
    page.write_text(page.read_text(encoding="utf-8") + contents(names), encoding="utf-8")


def _below(folder: Path) -> list[Path]:
    return sorted(page for page in folder.glob("*.md") if page.name != "index.md")
