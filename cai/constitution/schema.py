"""JSON Schemas that let an editor complete and check constitutions while they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.constitution.cases import CaseFile
from cai.constitution.files import ConstitutionFile, Family
from cai.loading import editor_schema

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["editor_schemas", "write_schemas"]


def editor_schemas() -> dict[str, str]:
    """File name → text of each schema, generated from the models and their field descriptions."""
    models = (("constitution", ConstitutionFile), ("family", Family), ("cases", CaseFile))
    return {f"{name}.schema.json": editor_schema(model) for name, model in models}


def write_schemas(folder: Path) -> None:
    """Write the schemas into the folder of constitutions. Run it after the models change."""
    for name, text in editor_schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
