"""Reading YAML and turning what pydantic finds wrong with it into one clear message."""

from __future__ import annotations

import reprlib
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

from cai.errors import ConfigError, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

__all__ = ["line_finder", "parse_model", "read_yaml"]

_Model = TypeVar("_Model", bound="BaseModel")

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80
_REPR.maxlevel, _REPR.maxlist, _REPR.maxdict = 2, 4, 4


def read_yaml(path: Path) -> Any:
    """Read a YAML file safely: no tags that build objects, no duplicate keys.

    Raises:
        ConfigError: the file is missing, not UTF-8, or not YAML; the message has the line.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    text = _read_text(path)
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        where = ""
        if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
            where = f", line {error.problem_mark.line + 1}"
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(
            f"{path}{where}: not valid YAML: {problem}. Correct that line."
        ) from error
    except (ValueError, RecursionError) as error:
        # Dates and numbers that do not exist, and brackets thousands deep, get past the parser.
        raise ConfigError(
            f"{path}: not valid YAML: {error}. Correct that value, or put it in quotes."
        ) from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        near = sorted(p.name for p in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        seen = f" In that folder: {', '.join(near)}." if near else ""
        raise ConfigError(
            f"No such file: {path}.{seen}{nearest(path.name, near)} Check the path."
        ) from error
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}. Name a YAML file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text. Save it as UTF-8.") from error


def parse_model(
    kind: type[_Model], data: Any, where: str | Path, error: type[UsageError] = ConfigError
) -> _Model:
    """Validate plain data as a model.

    Args:
        kind: the model.
        data: what is to become one.
        where: what the message calls the data. For the path of a YAML file that was read from it,
            the message also has the lines.
        error: what to raise.

    Raises:
        error: the data does not fit; the message names key, value, what is allowed and where.
    """
    from pydantic import ValidationError

    if not isinstance(data, dict):
        got = "nothing" if data is None else type(data).__name__
        raise error(
            f"{where}: expected 'key: value' lines, got {got}. "
            f"Allowed keys: {', '.join(_keys(kind))}."
        )
    try:
        return kind.model_validate(data)
    except ValidationError as failure:
        items = failure.errors(include_url=False)
        root = _nodes(where) if isinstance(where, Path) else None
        lines = [_line(root, item["loc"]) for item in items]
        found = [_explain(item, kind) for item in items]
        if len(found) == 1:
            raise error(f"{where}{', ' if lines[0] else ''}{lines[0]}: {found[0]}") from failure
        listed = [f"{line}: {one}" if line else one for line, one in zip(lines, found, strict=True)]
        raise error("\n  ".join([f"{where}:", *listed])) from failure


def line_finder(path: Path) -> Callable[[tuple[int | str, ...]], int | None]:
    """Finds in which line, counted from 1, a place of a YAML file lies.

    A place is keys and positions in lists, from the outside in. Found is the line of the deepest
    part that the file has; None when it has none of them.

    Raises:
        ConfigError: the file cannot be read, or is not YAML.
    """
    read_yaml(path)
    root = _nodes(path)
    return lambda location: _line_number(root, location)


def _short(value: Any) -> str:
    """The beginning of a value, without writing out the whole: aliases can make it huge."""
    shown = _REPR.repr(value)
    return shown if len(shown) <= 80 else f"{shown[:79]}…"


def _explain(item: ErrorDetails, kind: type[BaseModel]) -> str:
    location = item["loc"]
    key = ".".join(str(part) for part in location) or "the file"
    if item["type"] == "extra_forbidden":
        fields = _fields_at(kind, location[:-1])
        near = nearest(str(location[-1]), fields)
        return f"unknown key '{key}'. Allowed here: {', '.join(fields)}.{near}"
    if item["type"] == "missing":
        return f"'{key}' is missing. Add it."
    if item["type"] == "model_type":
        fields = _fields_at(kind, location)
        return (
            f"'{key}' is a section with keys of its own: {', '.join(fields)} "
            f"(got {_short(item['input'])})."
        )
    message = item["msg"].removeprefix("Value error, ")
    return f"'{key}': {message[:1].lower()}{message[1:]} (got {_short(item['input'])})."


def _nodes(path: Path) -> Any:
    """The YAML file as nodes that know their lines; it has been read without an error before."""
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).compose(_read_text(path))


def _line(node: Any, location: tuple[int | str, ...]) -> str:
    """`line 7` for the deepest part of `location` that the file has; empty when it has none."""
    number = _line_number(node, location)
    return "" if number is None else f"line {number}"


def _line_number(node: Any, location: tuple[int | str, ...]) -> int | None:
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    found = None
    for part in location:
        entries: dict[str, tuple[Any, Any]] = {}
        if isinstance(node, MappingNode):
            entries = {key.value: (key, value) for key, value in node.value if key.id == "scalar"}
        elif isinstance(node, SequenceNode):
            entries = {str(index): (value, value) for index, value in enumerate(node.value)}
        if str(part) not in entries:
            break
        marked, node = entries[str(part)]
        found = marked.start_mark.line + 1
    return found


def _fields_at(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Keys of the model that lies at `location` within `kind`."""
    for part in location:
        # Positions in lists, and the names that pydantic gives to the members of a union, are none.
        if (field := _keys(kind).get(str(part))) is not None:
            kind = _model_in(field.annotation) or kind
    return list(_keys(kind))


def _keys(kind: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model, as YAML names them."""
    return {info.alias or name: info for name, info in kind.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, tuple, list):
        for argument in get_args(annotation):
            found = _model_in(argument)
            if found:
                return found
    return None
