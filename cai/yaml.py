"""Reading YAML and turning what pydantic finds wrong with it into one clear message."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

from cai.errors import ConfigError, UsageError, nearest

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel, ValidationError

__all__ = ["parse_model", "read_yaml"]

_Model = TypeVar("_Model", bound="BaseModel")


def read_yaml(path: Path) -> Any:
    """Read a YAML file safely: no tags that build objects, no duplicate keys.

    Raises:
        ConfigError: the file is missing, not UTF-8, or not YAML; the message has the line.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        near = sorted(p.name for p in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        seen = f" In that folder: {', '.join(near)}." if near else ""
        raise ConfigError(
            f"No such file: {path}.{seen}{nearest(path.name, near)} Check the path."
        ) from error
    except (IsADirectoryError, PermissionError) as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}. Name a YAML file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text. Save it as UTF-8.") from error
    except YAMLError as error:
        where = ""
        if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
            where = f", line {error.problem_mark.line + 1}"
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(
            f"{path}{where}: not valid YAML: {problem}. Correct that line."
        ) from error


def parse_model(
    kind: type[_Model], data: Any, where: str, error: type[UsageError] = ConfigError
) -> _Model:
    """Validate plain data as a model.

    Raises:
        error: the data does not fit; the message names key, value, what is allowed and where.
    """
    from pydantic import ValidationError

    if not isinstance(data, dict):
        raise error(
            f"{where}: expected 'key: value' lines, got {type(data).__name__}. "
            f"Allowed keys: {', '.join(kind.model_fields)}."
        )
    try:
        return kind.model_validate(data)
    except ValidationError as failure:
        raise error(f"{where}: {_explain(failure, kind)}") from failure


def _explain(failure: ValidationError, kind: type[BaseModel]) -> str:
    lines = []
    for item in failure.errors(include_url=False):
        location = item["loc"]
        key = ".".join(str(part) for part in location) or "the file"
        if item["type"] == "extra_forbidden":
            fields = _fields_at(kind, location[:-1])
            near = nearest(str(location[-1]), fields)
            lines.append(f"unknown key '{key}'. Allowed here: {', '.join(fields)}.{near}")
        elif item["type"] == "missing":
            lines.append(f"'{key}' is missing. Add it.")
        else:
            message = item["msg"].removeprefix("Value error, ")
            lines.append(
                f"'{key}': {message[:1].lower()}{message[1:]} (got {item['input']!r:.80})."
            )
    return "\n  ".join(lines) if len(lines) == 1 else "\n  " + "\n  ".join(lines)


def _fields_at(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the model that lies at `location` within `kind`."""
    for part in location:
        if isinstance(part, int):
            continue
        if part not in kind.model_fields:
            return []
        kind = _model_in(kind.model_fields[part].annotation) or kind
    return list(kind.model_fields)


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
