"""Reading a record back from its JSON, and the schema by which an editor checks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel, TypeAdapter

__all__ = ["editor_schema", "load"]

_Record = TypeVar("_Record")


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def load(kind: type[_Record], data: bytes | str) -> _Record:
    """Read a record back from its JSON.

    Raises:
        pydantic.ValidationError: the JSON is not such a record.
    """
    adapter = _ADAPTERS.get(kind)
    if adapter is None:
        from pydantic import TypeAdapter

        # Building an adapter takes a thousand times longer than using it.
        adapter = _ADAPTERS[kind] = TypeAdapter(kind)
    record: _Record = adapter.validate_json(data)
    return record


def editor_schema(model: type[BaseModel]) -> str:
    """The text of a JSON Schema, generated from a model and the descriptions of its fields."""
    import orjson

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= model.model_json_schema()
    option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(schema, option=option).decode()
