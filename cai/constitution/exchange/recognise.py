"""Which layout a file has, by what is in it; its name counts only between text and Markdown."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from cai.constitution.exchange import cai_paper, icai, llm_swarm, open_character
from cai.constitution.exchange.layouts import LAYOUTS
from cai.constitution.exchange.source import json_lines, json_value, kind_of
from cai.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cai.constitution.exchange.layouts import Layout
    from cai.constitution.exchange.source import Source

__all__ = ["is_markdown", "recognised"]

_JSON = re.compile(r'\s*(?:\{\s*["}]|\[\s*[\[{"\]])')
_JSON_ENDINGS = (".json", ".jsonl")
_MARKDOWN_ENDINGS = (".md", ".markdown")
_TEXT_ENDINGS = (".txt", ".text", "")
_OWN = re.compile(r"^format:\s*1\s*$", re.MULTILINE)
_FITS: tuple[tuple[Layout, Callable[[Any], bool]], ...] = (
    ("llm-swarm", llm_swarm.fits),
    ("cai-paper", cai_paper.fits),
    ("open-character", open_character.fits),
    ("icai", icai.fits),
)


def is_markdown(source: Source) -> bool:
    """Whether a file is called like Markdown."""
    return _ending(source) in _MARKDOWN_ENDINGS


def recognised(source: Source) -> Layout:
    """The layout of a file.

    Raises:
        InputError: it has none that is known; the message says what was seen and what is known.
    """
    if _ending(source) in _JSON_ENDINGS or _JSON.match(source.text):
        return _of_json(source)
    if _OWN.search(source.text) and _ending(source) in (".yaml", ".yml"):
        raise InputError(
            f"{source.name} is a constitution already. Use it as it is: "
            f"cai constitution show {source.name}"
        )
    if is_markdown(source):
        return "markdown"
    if _ending(source) in _TEXT_ENDINGS:
        return "text"
    raise _unknown(source, f"a file that ends with '{_ending(source)}'")


def _of_json(source: Source) -> Layout:
    lines = [line for line in source.text.split("\n") if line.strip()]
    if len(lines) > 1 and _is_line(lines[0]) and _is_line(lines[1]):
        value = json_lines(source)[0][1]
        what = "JSONL, in whose first line there is"
    else:
        value, what = json_value(source), "JSON with"
    for layout, fits in _FITS:
        if fits(value):
            return layout
    if isinstance(value, dict) and isinstance(value.get("samples"), list):
        raise InputError(
            f"{source.name} holds few-shot samples for critiques and revisions and no principles, "
            "so it is no constitution. Import the file of critique and revision requests that "
            "comes with it; few-shot turns belong into a template (prompts/README.md)."
        )
    raise _unknown(source, f"{what} {kind_of(value)}")


def _is_line(line: str) -> bool:
    """Whether a line looks like a whole JSON object."""
    return line.lstrip().startswith("{") and line.rstrip().endswith("}")


def _unknown(source: Source, seen: str) -> InputError:
    known = "".join(f"\n  {layout}: {spec.shape}" for layout, spec in LAYOUTS.items())
    return InputError(
        f"{source.name}: got {seen}, which is no known layout of principles. Known:{known}\n"
        "Bring the file into one of them, or name its layout with --format."
    )


def _ending(source: Source) -> str:
    return PurePath(source.name).suffix.lower()
