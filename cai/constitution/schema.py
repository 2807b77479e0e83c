"""JSON Schemas that let an editor complete and check constitutions while they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.constitution.cases import CaseFile
from cai.constitution.files import ConstitutionFile, Family

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["editor_schemas", "write_schemas"]


def editor_schemas() -> dict[str, str]:
    """File name → text of each schema, generated from the models and their field descriptions."""
    import orjson

    schemas = {}
    models = (("constitution", ConstitutionFile), ("family", Family), ("cases", CaseFile))
    for name, model in models:
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        schema |= model.model_json_schema()
        option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        schemas[f"{name}.schema.json"] = orjson.dumps(schema, option=option).decode()
    return schemas


def write_schemas(folder: Path) -> None:
    """Write the schemas into the folder of constitutions. Run it after the models change."""
    for name, text in editor_schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
