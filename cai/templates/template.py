"""A parsed template, its variants, and how it is filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal

from cai.errors import ConfigError
from cai.hashing import content_hash
from cai.quoting import disarm, make_nonce, neutralise
from cai.records import Message, Role, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2.sandbox import SandboxedEnvironment

__all__ = ["Segment", "Template", "environment", "transcript"]

# What a judge compares, and what may stand around it; in a template, not in any value.
_QUOTED = ("conversation", "response", "answer_a", "answer_b")
_JUDGED = frozenset({"response", "answer_a", "answer_b"})
_TAG = re.compile(rf"<(/?(?:{'|'.join(_QUOTED)}))>")


def transcript(messages: Sequence[Message]) -> str:
    """A conversation as text for a critic or judge: `User: …` and `Assistant: …` blocks."""
    names: dict[Role, str] = {"system": "System", "user": "User", "assistant": "Assistant"}
    return "\n\n".join(f"{names[m.role]}: {m.content}" for m in messages)


@dataclass(frozen=True)
class Segment:
    """One message of a template, or the place of the conversation."""

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
    segments: tuple[Segment, ...]
    preamble: str = ""
    summary: str = ""
    quoting: str = ""
    secret: bytes = field(default=b"", repr=False, compare=False)

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
        return shown - {"summary", "nonce"}

    @cached_property
    def has_nonces(self) -> bool:
        """Whether the delimiters around what is quoted carry a code."""
        return any("nonce" in segment.variables for segment in self.segments)

    def with_preamble(self, summary: str) -> Template:
        """The same with its preamble, which shows a summary, before the question.

        Raises:
            ConfigError: the template has no preamble.
        """
        at = self.shared
        if self.summary:
            return self
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

    def with_nonces(self) -> Template:
        """The same with a code in the delimiters of the question, and a note that says so.

        What all requests share stays as it is. The code is `cai.quoting.make_nonce` of the quoted
        texts under the secret of `with_secret`, without which nothing can be rendered.

        Raises:
            ConfigError: something that is quoted does not stand between tags of its name.
        """
        if self.has_nonces:
            return self
        for name in self.inputs.intersection(_QUOTED):
            if not any(f"<{name}>" in s.source and f"</{name}>" in s.source for s in self._asking):
                raise ConfigError(
                    f"judge.quoting: nonce puts a code into the tags around '{name}', and the "
                    f"template {self.stage}/{self.name} has none. Write <{name}>{{{{ {name} }}}}"
                    f"</{name}> in it, or set judge.quoting: plain."
                )
        at, segments = self.shared, list(self.segments)
        for i, segment in enumerate(segments[at:], at):
            source = _TAG.sub(r"<\1 {{ nonce }}>", segment.source)
            if i == at and self.quoting:
                source = f"{self.quoting}\n\n{source}"
            if source != segment.source:
                told = segment.variables | {"nonce"}
                segments[i] = replace(segment, source=source, variables=told)
        return replace(self, segments=tuple(segments))

    def with_secret(self, secret: bytes) -> Template:
        """The same with the key of its codes, which is part of no hash and of no text."""
        return replace(self, secret=secret)

    @property
    def _asking(self) -> tuple[Segment, ...]:
        return self.segments[self.shared :]

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

        Strings among the values are neutralised, and disarmed where the delimiters have codes.
        `conversation` fills `<<conversation>>` as it is. The messages end before the first one that
        shows the variable `until`.

        Raises:
            ValueError: the template has nonces and was given no secret.
        """
        safe = {k: self._safe(k, v) if isinstance(v, str) else v for k, v in values.items()}
        if self.has_nonces:
            if not self.secret:
                raise ValueError(f"{self.stage}/{self.name} has nonces, and no secret to make them")
            quoted = (values[name] for name in _QUOTED if name in values)
            safe["nonce"] = make_nonce(self.secret, quoted)
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

    def _safe(self, name: str, value: str) -> str:
        if not self.has_nonces:
            # Byte for byte what earlier runs asked.
            return neutralise(value)
        return disarm(value, lines=name in _JUDGED)


@cache
def environment() -> SandboxedEnvironment:
    """What templates are compiled in; shared by all."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    # The text goes to a model, not to a browser: HTML escaping would corrupt it.
    return SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@cache
def _compile(source: str) -> Any:
    template = environment().from_string(source)
    # Jinja chains the globals of template and environment, and copies the chain at each rendering.
    template.globals = dict(template.globals)
    return template
