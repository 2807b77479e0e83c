"""What a run asks: config, constitution, templates and models, resolved and hashed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.config import asked
from cai.errors import ConfigError
from cai.hashing import content_hash
from cai.templates import Template, load_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.config import Config
    from cai.constitution.models import Constitution
    from cai.engines import Engines
    from cai.records import Stage

__all__ = ["Plan", "load_templates", "make_plan"]

_READING = 1
"""Counts changes in how answers are read into rows; rows of an earlier count are made anew."""

_NAMES = ("constitution", "prompts.path", "prompts.format", "templates.")
"""Keys that only name content; the content itself is compared by its hash."""


@dataclass(frozen=True)
class Plan:
    """Everything that determines a row, except its prompt.

    `asked` maps dotted keys to plain values: what a stored run holds on to. `hash` is of those
    among them that change rows; the prompt file and the split are not.
    """

    config: Config
    constitution: Constitution
    templates: Mapping[Stage, Template]
    asked: Mapping[str, Any]
    hash: str


def load_templates(config: Config) -> dict[Stage, Template]:
    """Load the template of each stage.

    Raises:
        ConfigError: a template is missing or wrong, or the two revision modes are mixed up.
    """
    named, folder = config.templates, config.templates.folder
    root = Path(folder) if folder else None
    if root and not root.is_dir():
        raise ConfigError(
            f"templates.folder: no such folder: {root}. Name a folder with the layout of prompts/, "
            "or leave the key out to use the packaged prompts."
        )
    # Revising directly has a template of its own: the default one is about a critique.
    revise = "direct" if config.loop.direct and named.revise == "default" else named.revise
    templates: dict[Stage, Template] = {
        "sample": load_template("sample", named.sample, root),
        "critique": load_template("critique", named.critique, root),
        "revise": load_template("revise", revise, root),
        "judge": load_template("judge", named.judge, root),
    }
    if config.loop.direct and "critique" in templates["revise"].inputs:
        raise ConfigError(
            f"loop.direct revises without a critique, but the template revise/{revise} shows one. "
            "Choose templates.revise: direct, or set loop.direct: false."
        )
    if len(templates["judge"].labels) != 2:
        raise ConfigError(
            f"The template judge/{named.judge} has labels {list(templates['judge'].labels)}; "
            "a pairwise judge needs exactly two, such as [A, B]."
        )
    return templates


def make_plan(
    config: Config,
    constitution: Constitution,
    templates: Mapping[Stage, Template],
    engines: Engines,
    prompts_hash: str,
) -> Plan:
    """Put the plan together. The engines must have been started: their fingerprints are in it.

    Args:
        config: the whole config.
        constitution: resolved.
        templates: one for each stage.
        engines: the models, by role.
        prompts_hash: hash of all prompts of the run.
    """
    keys = {k: v for k, v in asked(config).items() if not k.startswith(_NAMES)}
    keys["constitution"] = constitution.hash
    keys["reading"] = _READING
    keys |= {f"templates.{stage}": template.hash for stage, template in templates.items()}
    keys |= {
        "models.policy.fingerprint": engines.policy.fingerprint,
        "models.critic.fingerprint": engines.critic.fingerprint,
        "models.judge.fingerprint": engines.judge.fingerprint,
    }
    determines = {k: v for k, v in keys.items() if not k.startswith("split.")}
    return Plan(
        config=config,
        constitution=constitution,
        templates=templates,
        asked={**keys, "prompts": prompts_hash},
        hash=content_hash(determines),
    )
