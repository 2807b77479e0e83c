"""A JSON Schema of the rows, for editors and for whoever writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai import loading
from cai.feedback.forms import Feedback

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["editor_schema", "write_schema"]

_NAME = "feedback.schema.json"


def editor_schema() -> tuple[str, str]:
    """File name and text of the schema, generated from the models and their field descriptions."""
    return _NAME, loading.editor_schema(Feedback)


def write_schema(folder: Path) -> None:
    """Write the schema beside the example. Run it after the models change."""
    name, text = editor_schema()
    (folder / name).write_text(text, encoding="utf-8")
