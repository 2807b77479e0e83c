"""Which Markdown file of the repository becomes which page, and where its links lead then.

The files are written for a code host: their links are relative to where they lie, and lead to
folders and to files that are no pages, too. On the site a page has a shorter address.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DECISIONS", "copy_pages", "page_sources"]

DECISIONS = "decisions/index.md"
"""The list of decisions, which is made from their titles."""

# A fence or a span of code, in which nothing is a link; or the end of a link with its target.
_CODE_OR_TARGET = re.compile(
    r"^(?P<fence> *`{3,})[^\n]*\n.*?^(?P=fence) *$|(?P<ticks>`+)[^`].*?(?P=ticks)"
    r"|\]\((?P<target>[^)\s]+)\)",
    re.MULTILINE | re.DOTALL,
)


def page_sources(root: Path) -> dict[str, str]:
    """Pages by the path of their source, both relative and with slashes."""
    pages = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
    for folder in ("docs", "examples", "constitution", "prompts"):
        for path in sorted((root / folder).rglob("*.md")):
            source = path.relative_to(root).as_posix()
            if not any(part.startswith(("_", ".")) or part == "runs" for part in path.parts):
                pages[source] = _address(source)
    return pages


def copy_pages(root: Path, to: Path) -> list[str]:
    """Copy all pages and the files they link to.

    Returns:
        The links that lead nowhere, each as a sentence.
    """
    pages = page_sources(root)
    broken: list[str] = []
    for source, page in pages.items():
        text = (root / source).read_text(encoding="utf-8")
        moved = _Moved(root, to, pages, source)
        text = _CODE_OR_TARGET.sub(moved.link, text)
        broken += moved.broken
        (to / page).parent.mkdir(parents=True, exist_ok=True)
        (to / page).write_text(text, encoding="utf-8")
    return broken


def _address(source: str) -> str:
    page = source.removeprefix("docs/")
    if page == "examples/README.md":
        return "examples/index.md"
    return page.replace("/README.md", ".md")


class _Moved:
    """The links of one page, as they are on the site."""

    def __init__(self, root: Path, to: Path, pages: dict[str, str], source: str) -> None:
        self.root, self.to, self.pages, self.source = root, to, pages, source
        self.broken: list[str] = []

    def link(self, found: re.Match[str]) -> str:
        target = found["target"]
        if target is None or re.match(r"[a-z]+:|#", target):
            return found[0]
        path, hash_, anchor = target.partition("#")
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(self.source), path))
        there = next(iter(self._places(wanted)), None)
        if there is None:
            self.broken.append(
                f"{self.source} links to {target}. Allowed: what is in the repository. Correct it."
            )
            return found[0]
        here = posixpath.dirname(self.pages[self.source]) or "."
        return f"]({posixpath.relpath(there, here)}{hash_}{anchor})"

    def _places(self, wanted: str) -> Iterator[str]:
        if wanted in ("README.md", "."):
            yield "index.md"
        if wanted == "docs/decisions":
            yield DECISIONS
        if wanted in self.pages:
            yield self.pages[wanted]
        path = self.root / wanted
        if path.is_dir():  # its page, or that of the folder that it is in
            for folder in (wanted, posixpath.dirname(wanted)):
                if f"{folder}/README.md" in self.pages:
                    yield self.pages[f"{folder}/README.md"]
        if path.is_file() and not os.path.relpath(path, self.root).startswith(".."):
            copied = f"files/{wanted}"
            (self.to / copied).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, self.to / copied)
            yield copied
