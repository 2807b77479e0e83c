"""`--subject NAME=MODEL`: models under test, as they are written on the command line.

```
base=smollm2-135m-instruct            the embedded model
tuned=models/dpo                      a folder: of `cai train`, one of its checkpoints, an adapter
other=Qwen/Qwen3-0.6B                 a name at the hub
served=openai:my-model@http://host/v1 a server; without @URL that of the config's policy
fast=vllm:models/dpo                  an engine before the model: transformers, vllm, scripted
now=config:policy                     a role of the config, with all its settings
full=subject.yaml                     a file with the keys of `models.policy` in a config
```

What the engine of a subject and that of the config's policy have in common (device, number format,
key, time-outs) is taken from the policy.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cai.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.config import Config, ModelConfig
    from cai.evaluate.records import Subject

__all__ = ["SubjectOption", "model_of", "parse_subject", "parse_subjects"]

SubjectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--subject",
        metavar="NAME=MODEL",
        help="A model under test: a folder, the embedded model, a hub name, openai:MODEL@URL, "
        "vllm:MODEL, config:ROLE or a YAML file. Repeat it for several; config:policy when absent.",
    ),
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENGINES = ("transformers", "vllm", "openai", "scripted")
_URL = re.compile(r"@(https?://\S+)$")
_WINDOWS_DRIVE = 1
_ALLOWED = (
    "Allowed are NAME=MODEL, where MODEL is a folder with a model, smollm2-135m-instruct, a hub "
    "name such as owner/model, openai:MODEL or openai:MODEL@https://HOST/v1, transformers:MODEL, "
    "vllm:MODEL, scripted:MODEL, config:ROLE, or a YAML file with the keys of models.policy."
)


def parse_subjects(texts: Sequence[str] | None, config: Config) -> list[Subject]:
    """The subjects of a command; the config's policy, called `policy`, when none is named.

    Args:
        texts: values of `--subject`.
        config: gives roles by name, and settings to subjects with the engine of its policy.

    Raises:
        UsageError: a text names no model, or two have the same name.
    """
    found = [parse_subject(text, config) for text in texts or ["policy=config:policy"]]
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"--subject: two subjects are called '{twice}'. Names tell them apart in tables and "
            f"files: write --subject OTHER=MODEL."
        )
    return found


def parse_subject(text: str, config: Config) -> Subject:
    """One subject. Without `NAME=` it is called after its folder, file or model.

    Raises:
        UsageError: the text names no model, or its name is none for tables and files.
    """
    from cai.evaluate.records import Subject

    name, equals, model = text.partition("=")
    if not equals or "/" in name or ":" in name:
        # A path or an address may have an equals sign of its own.
        name, model = _named_after(text), text
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"--subject {text}: the name is {name!r}. Allowed are up to 64 letters, digits, '.', "
            "'_' and '-', with a letter or digit first. Write --subject NAME=MODEL."
        )
    return Subject(name, model_of(model, config, f"--subject {text}"))


def model_of(text: str, config: Config, where: str) -> ModelConfig:
    """The model that a text such as `models/dpo` or `openai:my-model@URL` names.

    Args:
        text: what stands after `NAME=`.
        config: as for `parse_subjects`.
        where: what an error calls the text, such as `--judge openai:x`.

    Raises:
        ConfigError: a YAML file does not fit the keys of a model.
        UsageError: it names none; the message says what is allowed.
    """
    if not text.strip():
        raise UsageError(f"{where}: no model is named. {_ALLOWED}")
    path = Path(text).expanduser()
    if path.is_dir():
        return _in_process(_folder(path, where), config)
    if path.suffix in (".yaml", ".yml"):
        return _file(path)
    kind, colon, rest = text.partition(":")
    if colon and len(kind) > _WINDOWS_DRIVE and "/" not in kind:
        return _prefixed(kind, rest, config, where)
    return _unprefixed(text, config, where)


def _prefixed(kind: str, rest: str, config: Config, where: str) -> ModelConfig:
    if kind == "config":
        roles = config.models.roles
        if rest not in roles:
            raise UsageError(
                f"{where}: the config has no role '{rest}'. It has {', '.join(roles)}."
                f"{nearest(rest, roles)}"
            )
        return roles[rest]
    if kind not in _ENGINES:
        near = nearest(kind, [*_ENGINES, "config"])
        raise UsageError(f"{where}: there is no engine '{kind}'.{near} {_ALLOWED}")
    change: dict[str, Any] = {"engine": kind, "model": rest, "revision": None}
    if kind == "openai" and (url := _URL.search(rest)):
        change |= {"base_url": url[1], "model": rest[: url.start()]}
    elif kind in ("transformers", "vllm") and Path(rest).expanduser().is_dir():
        change["model"] = _folder(Path(rest).expanduser(), where)
    if not change["model"].strip():
        raise UsageError(f"{where}: no model is named after '{kind}:'. {_ALLOWED}")
    return _like(config.models.policy, change)


def _unprefixed(text: str, config: Config, where: str) -> ModelConfig:
    """The embedded model, or a name at the hub; nothing here asks the network."""
    from cai.engines.embedded import EMBEDDED_MODEL

    if text != EMBEDDED_MODEL and not re.fullmatch(r"[\w.-]+/[\w.-]+", text, re.ASCII):
        raise UsageError(
            f"{where}: there is no folder or model {text!r}."
            f"{nearest(text, [EMBEDDED_MODEL])} {_ALLOWED}"
        )
    return _in_process(text, config)


def _in_process(model: str, config: Config) -> ModelConfig:
    before = config.models.policy.engine
    engine = before if before in ("transformers", "vllm") else "transformers"
    return _like(config.models.policy, {"engine": engine, "model": model, "revision": None})


def _like(policy: ModelConfig, change: dict[str, Any]) -> ModelConfig:
    """A model with the policy's settings where both have the same engine."""
    from cai.config import ModelConfig

    if policy.engine != change["engine"]:
        return ModelConfig.model_validate(change)
    if policy.engine == "vllm":
        # An adapter belongs to the model that it was made for.
        change["vllm"] = policy.vllm.model_copy(update={"adapter": None})
    return policy.model_copy(update=change)


def _folder(path: Path, where: str) -> str:
    """The folder of a whole model, by its absolute path."""
    from cai.engines.inprocess.adapters import whole_model

    return str(whole_model(path, where).absolute())


def _file(path: Path) -> ModelConfig:
    from cai.config import ModelConfig
    from cai.yaml import parse_model, read_yaml

    return parse_model(ModelConfig, read_yaml(path), path)


def _named_after(text: str) -> str:
    """`dpo` for models/dpo, `my-model` for openai:my-model@URL, `policy` for config:policy."""
    plain = _URL.sub("", text)
    path = Path(plain)
    stem = path.stem if path.suffix in (".yaml", ".yml") else path.name
    return re.sub(r"[^A-Za-z0-9._-]", "-", stem.rpartition(":")[2]).lstrip("._-")[:64]
