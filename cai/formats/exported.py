"""What the manifest of an export says of rows whose layout has no place for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from cai.formats.layouts import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cai.formats.layouts import Layout

__all__ = ["KIND", "MANIFEST", "sources_of", "stated_source"]

KIND = "constitutional-ai export"
"""Stands in the manifest and marks a folder that an export may write over."""

MANIFEST = "manifest.json"

_SOURCES = ("ai", "revision")


def sources_of(layouts: Iterable[Layout]) -> dict[str, str]:
    """The source of each table whose rows cannot say it: for `sources` in the manifest."""
    facts = (LAYOUTS[layout] for layout in layouts)
    return {table: one.source for one in facts if one.source for table in one.tables}


def stated_source(path: Path) -> str:
    """`ai` or `revision` where the manifest of the export says so of this file, and else empty.

    The files of the split dev lie one folder deeper than the manifest.
    """
    for folder in (path.parent, path.parent.parent):
        source = _sources_in(folder / MANIFEST).get(path.name.partition(".")[0])
        if source in _SOURCES:
            return str(source)
    return ""


def _sources_in(path: Path) -> dict[str, Any]:
    try:
        manifest = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        # Something else may have that name; what it says is then not about the file.
        return {}
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        return {}
    sources = manifest.get("sources")
    return sources if isinstance(sources, dict) else {}
