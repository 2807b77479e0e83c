"""Docstrings on the site: they are written as Markdown, and Sphinx reads reStructuredText."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup", "to_rst"]

_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx read docstrings by way of this module, before napoleon sees them."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    return {"parallel_read_safe": True}


def to_rst(lines: list[str]) -> list[str]:
    """Fences become code blocks, and code within a sentence a literal."""
    written: list[str] = []
    fenced = False
    for line in _CODE.sub(_literal, "\n".join(lines)).split("\n"):
        if line.lstrip().startswith("```"):
            indent = line[: len(line) - len(line.lstrip())]
            language = line.strip("` ") or "none"
            written += ["", *([] if fenced else [f"{indent}.. code-block:: {language}", ""])]
            fenced = not fenced
        else:
            written.append(f"   {line}" if fenced else line)
    return written


def _literal(found: re.Match[str]) -> str:
    # A literal may not run over a line, nor touch a word: `name`s.
    return f"``{' '.join(found[1].split())}``" + (
        "\\ " if found.string[found.end() :][:1].isalpha() else ""
    )


def _process(
    _app: Sphinx, what: str, name: str, thing: Any, _options: Any, lines: list[str]
) -> None:
    if what == "data" and lines == [*inspect.getdoc(type(thing)).splitlines(), ""]:
        lines.clear()  # a constant without a text of its own has that of `dict`
    lines[:] = to_rst(lines)
