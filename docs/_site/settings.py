"""The pages about config files, made from their JSON Schemas: a field is described once."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from lists import contents

from cai.config import Config
from cai.constitution.models import Constitution
from cai.train import TrainConfig

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

__all__ = ["write_settings"]

_PAGES: tuple[tuple[str, str, str, type[BaseModel]], ...] = (
    (
        "cai.md",
        "cai.yaml",
        "The file of most commands. Keys marked † may change between two starts of a run.",
        Config,
    ),
    (
        "training.md",
        "Training configs",
        "The file of `cai train METHOD FILE`, and the keys of its `--set`.",
        TrainConfig,
    ),
    (
        "constitution.md",
        "Constitution files",
        "What a constitution may say about itself and its principles.",
        Constitution,
    ),
)
_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_TYPES = {"integer": "whole number", "string": "text", "boolean": "true or false", "null": "null"}


def write_settings(folder: Path) -> None:
    """Write a page for each kind of file, and one that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Config files", "", "YAML; a key that is not listed is an error.", ""]
    for name, title, about, model in _PAGES:
        text = _Sections(model.model_json_schema()).render(title, about)
        (folder / name).write_text(text, encoding="utf-8")
        lines.append(f"- [{title}]({name}): {about[0].lower()}{about[1:]}")
    lines.append(contents(name for name, *_ in _PAGES))
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")


class _Sections:
    """The sections of one schema; one that occurs in several places is described at the first."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self.definitions: dict[str, Any] = schema.get("$defs", {})
        self.places: dict[str, str] = {}
        self.waiting: deque[str] = deque()

    def render(self, title: str, about: str) -> str:
        lines = [f"# {title}", "", about, *self._keys(self.schema, "")]
        while self.waiting:
            name = self.waiting.popleft()
            section = self.definitions[name]
            place = self.places[name]
            lines += ["", f"({_anchor(place)})=", "", f"## `{place}`", ""]
            lines.append(section.get("description", ""))
            lines += self._keys(section, f"{place}.")
        return "\n".join([*lines, ""])

    def _keys(self, section: dict[str, Any], prefix: str) -> list[str]:
        lines = [""]
        required = section.get("required", [])
        for key, field in section["properties"].items():
            facts = [self._value(field, prefix + key), _default(field, key in required)]
            mark = " †" if field.get("x-runtime") else ""
            says = " ".join(self._description(field).split())
            lines.append(f"- **`{key}`**{mark} ({'; '.join(filter(None, facts))}): {says}")
        return lines

    def _description(self, field: dict[str, Any]) -> str:
        """The text of a field; that of its section where it has none."""
        section = self.definitions.get(field.get("$ref", "").rsplit("/", 1)[-1], {})
        return field.get("description") or section.get("description", "")

    def _value(self, field: dict[str, Any], path: str) -> str:
        """What a field may hold, in words."""
        if "$ref" in field:
            return self._reference(field["$ref"].rsplit("/", 1)[-1], path)
        if "anyOf" in field or "oneOf" in field:
            kinds = field.get("anyOf") or field["oneOf"]
            return " or ".join(dict.fromkeys(self._value(kind, path) for kind in kinds))
        if "enum" in field or "const" in field:
            choices = field.get("enum", [field.get("const")])
            return ", ".join(f"`{choice}`" for choice in choices)
        kind = field.get("type", "anything")
        if kind == "array":
            if "prefixItems" in field:
                return "list of " + ", ".join(self._value(f, path) for f in field["prefixItems"])
            return f"list of {self._value(field.get('items', {}), f'{path}[]')}"
        if kind == "object":
            values = field.get("additionalProperties", {})
            inner = self._value(values, f"{path}.NAME") if isinstance(values, dict) else "anything"
            return f"names, each with {inner}"
        limits = "".join(f" {sign} {field[key]:g}" for key, sign in _LIMITS.items() if key in field)
        return _TYPES.get(kind, kind) + limits

    def _reference(self, name: str, path: str) -> str:
        definition = self.definitions[name]
        if "properties" not in definition:
            return self._value(definition, path)
        if name not in self.places:
            self.places[name] = path
            self.waiting.append(name)
        place = self.places[name]
        return f"[`{place}`](#{_anchor(place)})"


def _anchor(place: str) -> str:
    return "key-" + "".join(c if c.isalnum() else "-" for c in place.lower()).strip("-")


def _default(field: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    # That of a whole section is the defaults of its keys.
    if "default" not in field or isinstance(field["default"], dict):
        return ""
    return f"`{json.dumps(field['default'], ensure_ascii=False)}` by default"
