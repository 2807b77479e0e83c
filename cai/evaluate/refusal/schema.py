"""A JSON Schema that lets an editor complete and check red-team cases while they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai import loading
from cai.evaluate.refusal.cases import CaseFile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["editor_schema", "write_schema"]

_NAME = "redteam.schema.json"


def editor_schema() -> tuple[str, str]:
    """File name and text of the schema, generated from the models and their field descriptions."""
    return _NAME, loading.editor_schema(CaseFile)


def write_schema(folder: Path) -> None:
    """Write the schema into the folder of prompts. Run it after the models change."""
    name, text = editor_schema()
    (folder / name).write_text(text, encoding="utf-8")
