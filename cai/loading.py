"""Reading a record back from its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["load"]

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
