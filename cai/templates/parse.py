"""From the file of a template to the template, with an error for all that breaks the format."""

from __future__ import annotations

import re
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cai.content import content_dir
from cai.errors import ConfigError, nearest
from cai.templates.template import Segment, Template, environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cai.records import Stage

__all__ = ["load_template", "parse_template"]

_OPENERS = re.compile(r"^<<(system|user|assistant|conversation)>>[ \t]*$", re.MULTILINE)
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_ALLOWED: dict[Stage, frozenset[str]] = {
    "sample": frozenset(),
    "critique": frozenset({"conversation", "response", "principle"}),
    "revise": frozenset({"conversation", "response", "principle", "critique"}),
    "judge": frozenset({"conversation", "answer_a", "answer_b", "principles", "reasoning"}),
    "score": frozenset({"conversation", "response", "principles", "proposition"}),
}


def load_template(stage: Stage, name: str, folder: Path | None = None) -> Template:
    """Load `<folder>/<stage>/<name>.jinja`; the packaged prompts are the default folder.

    Raises:
        ConfigError: there is no such template, or it breaks the format.
    """
    root = (folder or content_dir("prompts")) / stage
    path = root / f"{name}.jinja"
    if not re.fullmatch(r"[\w.-]+", name) or not path.is_file():
        known = sorted(p.stem for p in root.glob("*.jinja"))
        raise ConfigError(
            f"No {stage} template '{name}' in {root}. Known: {', '.join(known) or 'none'}."
            f"{nearest(name, known)}"
        )
    return parse_template(path.read_text(encoding="utf-8"), name, stage, str(path))


def parse_template(text: str, name: str, stage: Stage, where: str) -> Template:
    """Parse the text of a template; `where` is for error messages.

    Raises:
        ConfigError: the text breaks the format.
    """
    front = _FRONT.match(text)
    if not front:
        raise ConfigError(
            f"{where}: no front matter. Begin with a block of version, stage, inputs and output "
            "between two lines '---'."
        )
    header = _header(front.group(1), where)
    if header["stage"] != stage:
        raise ConfigError(
            f"{where}: it says 'stage: {header['stage']}' but lies in the folder of '{stage}'. "
            f"Move the file to prompts/{header['stage']}/ or correct its stage."
        )
    segments = _segments(text[front.end() :], where)
    template = Template(
        name=name,
        stage=stage,
        version=header["version"],
        labels=tuple(header["labels"]),
        nothing=header["nothing"],
        segments=segments,
        preamble=header["preamble"].strip(),
        quoting=header["quoting"].strip(),
    )
    used = template.inputs
    declared = frozenset(header["inputs"])
    unknown = sorted((used | declared) - _ALLOWED[stage]) or sorted(used - declared)
    if unknown:
        allowed = ", ".join(sorted(_ALLOWED[stage])) or "none (use <<conversation>>)"
        raise ConfigError(
            f"{where}: input '{unknown[0]}' is not available or not declared. Allowed for "
            f"{stage}: {allowed}. List what the template uses under 'inputs:'."
        )
    _rehearse(template, where)
    return template


def _rehearse(template: Template, where: str) -> None:
    """Render with stand-ins, so that a wrong field is found before the first paid call."""
    words = dict.fromkeys(("id", "text", "critique", "revise", "judge", "source", "note"), "x")
    lists = {
        "examples": [SimpleNamespace(prompt="x", better="x", worse="x")],
        "rubric": [SimpleNamespace(score=1, text="x")],
        "propositions": [SimpleNamespace(text="x", weight=1.0)],
    }
    chosen = {"tags": (), "weight": 1.0, "framing": None, "applies_to": None}
    principle = SimpleNamespace(**words, **lists, **chosen)
    shown = [template, template.with_preamble("x")] if template.preamble else [template]
    if template.quoting:
        shown.append(template.with_nonces().with_secret(b"x"))
    for variant, count in product(shown, (1, 2)):
        values = dict.fromkeys(template.inputs, "x")
        stand_ins = {"principle": principle, "principles": [principle] * count}
        try:
            variant.render({k: stand_ins.get(k, v) for k, v in values.items()})
        except Exception as error:  # whatever an expression in the template may raise
            raise ConfigError(
                f"{where}: rendering fails: {error}. A principle has "
                f"{', '.join([*words, *chosen, *lists])}; 'principles' is a list of them; the "
                "other inputs are text."
            ) from error


def _header(source: str, where: str) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    keys = {"version": str, "stage": str, "inputs": list, "output": str}
    optional = {"labels": list, "nothing": str, "preamble": str, "quoting": str, "note": str}
    try:
        data = YAML(typ="safe", pure=True).load(source)
    except YAMLError as error:
        raise ConfigError(f"{where}: the front matter is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: the front matter must be 'key: value' lines.")
    for key, value in data.items():
        kind = {**keys, **optional}.get(key)
        if kind is None:
            allowed = ", ".join([*keys, *optional])
            raise ConfigError(
                f"{where}: unknown key '{key}'. Allowed: {allowed}."
                f"{nearest(str(key), [*keys, *optional])}"
            )
        if not isinstance(value, kind):
            raise ConfigError(f"{where}: '{key}' must be a {kind.__name__}, got {value!r}.")
    missing = [k for k in keys if k not in data]
    if missing:
        raise ConfigError(f"{where}: the front matter lacks '{missing[0]}'.")
    header = {"labels": [], "nothing": "", "preamble": "", "quoting": "", **data}
    _check_values(header, where)
    return header


def _check_values(header: Mapping[str, Any], where: str) -> None:
    labels, output = header["labels"], header["output"]
    for key in ("inputs", "labels"):
        wrong = [item for item in header[key] if not isinstance(item, str) or not item.strip()]
        if wrong:
            raise ConfigError(
                f"{where}: '{key}' must be a list of words, got {wrong[0]!r} in it. "
                "Put quotes around numbers."
            )
    if len(set(labels)) != len(labels):
        raise ConfigError(f"{where}: the labels {labels} must differ, such as [A, B].")
    if output not in ("text", "label"):
        raise ConfigError(f"{where}: 'output' must be text or label, got '{output}'.")
    if (output == "label") != bool(labels):
        raise ConfigError(
            f"{where}: 'output: label' and 'labels: [A, B]' go together; got output "
            f"'{output}' and labels {labels}."
        )
    if header["nothing"] and header["stage"] != "critique":
        raise ConfigError(
            f"{where}: 'nothing' is for critiques that find nothing; got it in a template of "
            f"'{header['stage']}'. Remove it."
        )
    for key in ("preamble", "quoting"):
        if header[key] and header["stage"] not in ("judge", "score"):
            raise ConfigError(
                f"{where}: '{key}' is for judges; got it in a template of '{header['stage']}'. "
                "Remove it."
            )


def _segments(body: str, where: str) -> tuple[Segment, ...]:
    from jinja2 import TemplateSyntaxError, meta

    parts = _OPENERS.split(body)
    if parts[0].strip() or len(parts) == 1:
        raise ConfigError(
            f"{where}: text before the first message. Open messages with a line <<system>>, "
            "<<user>>, <<assistant>> or <<conversation>>."
        )
    segments = []
    for role, source in zip(parts[1::2], parts[2::2], strict=True):
        try:
            tree = environment().parse(source)
            variables = meta.find_undeclared_variables(tree)
        except TemplateSyntaxError as error:
            raise ConfigError(f"{where}: template error: {error.message}.") from error
        if any(True for _ in meta.find_referenced_templates(tree)):
            raise ConfigError(
                f"{where}: a template stands alone; got an include, import or extends. Copy the "
                "text into it."
            )
        if role == "conversation" and source.strip():
            raise ConfigError(f"{where}: <<conversation>> takes no text of its own.")
        segments.append(Segment(role, source.strip(), frozenset(variables)))  # type: ignore[arg-type]
    return tuple(segments)
