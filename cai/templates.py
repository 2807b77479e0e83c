"""Prompt templates: the text of every request, kept in `prompts/<stage>/<name>.jinja`.

A template is YAML front matter and then messages:

```
---
version: 1.0.0
stage: critique
inputs: [conversation, response, principle]
output: text
---
<<system>>
You review answers.
<<user>>
{{ conversation }} …
```

A line `<<system>>`, `<<user>>` or `<<assistant>>` opens a message, `<<conversation>>` stands for
the messages of the prompt themselves. The source is cut into messages *before* anything is
substituted, and every value is substituted once, so untrusted text can neither open a message nor
run as a template. Leading messages without variables are the same in all requests of the stage;
engines are told how many there are and may compute them once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

from cai.content import content_dir
from cai.errors import ConfigError, nearest
from cai.hashing import content_hash
from cai.records import Message, Role, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jinja2.sandbox import SandboxedEnvironment

__all__ = ["Template", "load_template", "neutralise", "transcript"]

_OPENERS = re.compile(r"^<<(system|user|assistant|conversation)>>[ \t]*$", re.MULTILINE)
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_ALLOWED: dict[Stage, frozenset[str]] = {
    "sample": frozenset(),
    "critique": frozenset({"conversation", "response", "principle"}),
    "revise": frozenset({"conversation", "response", "principle", "critique"}),
    "judge": frozenset({"conversation", "answer_a", "answer_b", "principles", "reasoning"}),
    "score": frozenset({"conversation", "response", "principles", "proposition"}),
}
# The structural tags of the templates, message openers, and the control tokens of chat formats
# (<|im_start|> …). A bare << stays: it is an operator in code, and revisions copy what they see.
_STRUCTURE = re.compile(
    r"<(?=\s*/?\s*(?:conversation|response|answer|critique|principle|revision)[\w\s]*>|\|"
    r"|<(?:system|user|assistant|conversation)>)",
    re.IGNORECASE,
)


def neutralise(text: str) -> str:
    """Make structural delimiters inside untrusted text harmless, and change nothing else.

    The `<` of our tags, of `<<user>>` and of chat control tokens becomes U+2039, which reads
    the same to people and models but delimits nothing.
    """
    return _STRUCTURE.sub("\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", text)


def transcript(messages: Sequence[Message]) -> str:
    """A conversation as text for a critic or judge: `User: …` and `Assistant: …` blocks."""
    names: dict[Role, str] = {"system": "System", "user": "User", "assistant": "Assistant"}
    return "\n\n".join(f"{names[m.role]}: {m.content}" for m in messages)


@dataclass(frozen=True)
class _Segment:
    role: Role | Literal["conversation"]
    source: str
    variables: frozenset[str] = field(default=frozenset())

    @cached_property
    def fixed(self) -> Message | None:
        """The message, where it is the same in every request: it is rendered once."""
        if self.role == "conversation" or self.variables:
            return None
        return Message(self.role, _compile(self.source).render().strip())


@dataclass(frozen=True)
class Template:
    """A parsed template. `hash` is of its meaning: version note and layout of YAML do not count."""

    name: str
    stage: Stage
    version: str
    labels: tuple[str, ...]
    nothing: str
    segments: tuple[_Segment, ...]
    preamble: str = ""
    summary: str = ""

    @cached_property
    def hash(self) -> str:
        """64 hexadecimal digits of all that reaches a model or decides how its answer is read."""
        texts = [[s.role, s.source] for s in self.segments]
        shown = [self.summary] if self.summary else []
        return content_hash([self.stage, list(self.labels), self.nothing, texts, *shown])

    @property
    def inputs(self) -> frozenset[str]:
        """The variables that the template shows."""
        shown = frozenset[str]().union(*(segment.variables for segment in self.segments))
        return shown - {"summary"}

    def with_preamble(self, summary: str) -> Template:
        """The same with its preamble, which shows a summary, before the question.

        Raises:
            ConfigError: the template has no preamble.
        """
        at = self.shared
        if not self.preamble or at == len(self.segments):
            raise ConfigError(
                f"The template {self.stage}/{self.name} has no preamble to show. Give it one in "
                "its front matter, such as 'preamble: \"The aim: {{ summary }}\"', or set "
                "judge.preamble: false."
            )
        asked = self.segments[at]
        told = replace(
            asked,
            source=f"{self.preamble}\n\n{asked.source}",
            variables=asked.variables | {"summary"},
        )
        segments = (*self.segments[:at], told, *self.segments[at + 1 :])
        return replace(self, segments=segments, summary=summary)

    def without_examples(self) -> Template:
        """The same without the turns, other than system messages, that all requests share."""
        head = tuple(s for s in self.segments[: self.shared] if s.role == "system")
        return replace(self, segments=head + self.segments[self.shared :])

    @cached_property
    def shared(self) -> int:
        """How many leading messages are the same in every request."""
        for position, segment in enumerate(self.segments):
            if segment.variables or segment.role == "conversation":
                return position
        return len(self.segments)

    def render(
        self,
        values: Mapping[str, Any],
        conversation: Sequence[Message] = (),
        *,
        until: str | None = None,
    ) -> tuple[Message, ...]:
        """Substitute `values` once and return the messages of a request.

        Strings among the values are neutralised. `conversation` fills `<<conversation>>` as it is.
        The messages end before the first one that shows the variable `until`.
        """
        safe = {k: neutralise(v) if isinstance(v, str) else v for k, v in values.items()}
        if self.summary:
            safe["summary"] = neutralise(self.summary)
        messages: list[Message] = []
        for segment in self.segments:
            if until in segment.variables:
                break
            if segment.role == "conversation":
                messages.extend(conversation)
            elif segment.fixed is not None:
                messages.append(segment.fixed)
            else:
                text = _compile(segment.source).render(safe).strip()
                messages.append(Message(segment.role, text))
        return tuple(messages)


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
    words = dict.fromkeys(("id", "text", "critique", "revise", "judge", "note"), "x")
    principle = SimpleNamespace(**words, tags=(), weight=1.0, propositions=())
    shown = (template, template.with_preamble("x")) if template.preamble else (template,)
    for variant, count in product(shown, (1, 2)):
        values = dict.fromkeys(template.inputs, "x")
        stand_ins = {"principle": principle, "principles": [principle] * count}
        try:
            variant.render({k: stand_ins.get(k, v) for k, v in values.items()})
        except Exception as error:  # whatever an expression in the template may raise
            raise ConfigError(
                f"{where}: rendering fails: {error}. A principle has {', '.join(words)}, tags and "
                "weight; 'principles' is a list of them; the other inputs are text."
            ) from error


def _header(source: str, where: str) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    keys = {"version": str, "stage": str, "inputs": list, "output": str}
    optional = {"labels": list, "nothing": str, "preamble": str, "note": str}
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
    header = {"labels": [], "nothing": "", "preamble": "", **data}
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
    if header["preamble"] and header["stage"] not in ("judge", "score"):
        raise ConfigError(
            f"{where}: 'preamble' is for judges; got it in a template of '{header['stage']}'. "
            "Remove it."
        )


def _segments(body: str, where: str) -> tuple[_Segment, ...]:
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
            tree = _environment().parse(source)
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
        segments.append(_Segment(role, source.strip(), frozenset(variables)))  # type: ignore[arg-type]
    return tuple(segments)


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    # The text goes to a model, not to a browser: HTML escaping would corrupt it.
    return SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@cache
def _compile(source: str) -> Any:
    template = _environment().from_string(source)
    # Jinja chains the globals of template and environment, and copies the chain at each rendering.
    template.globals = dict(template.globals)
    return template
