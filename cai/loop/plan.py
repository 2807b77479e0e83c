"""What a run asks: config, constitution, templates and models, resolved and hashed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cai.config import asked
from cai.errors import ConfigError
from cai.hashing import content_hash
from cai.loop.contrast import check_principles
from cai.loop.judging import judging_stage, judging_template, require_judgeable
from cai.loop.scope import Scopes, restrictions
from cai.records import Stage
from cai.templates import Template, load_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.config import Config
    from cai.constitution.models import Constitution
    from cai.engines import Engines

__all__ = ["Plan", "TemplateKey", "for_judging", "load_templates", "make_plan"]

TemplateKey = Stage | Literal["contrast"]
"""A stage, or the second template of the stage `sample`, for pairs of the kind `contrast`."""

_READING = 1
"""Counts changes in how answers are read into rows; rows of an earlier count are made anew."""

_NAMES = ("constitution", "prompts.path", "prompts.format", "prompts.mix", "templates.")
"""Keys that only name content; the content itself is compared by its hash."""


@dataclass(frozen=True)
class Plan:
    """Everything that determines a row, except its prompt.

    `asked` maps dotted keys to plain values: what a stored run holds on to. `hash` is of those
    among them that change rows; the prompt file and the split are not. `judges` has the fingerprint
    of every role that judges.
    """

    config: Config
    constitution: Constitution
    templates: Mapping[TemplateKey, Template]
    asked: Mapping[str, Any]
    hash: str
    judges: Mapping[str, str]

    @cached_property
    def scopes(self) -> Scopes:
        """Which principles a prompt is under."""
        return Scopes(self.config, self.constitution)


def load_templates(config: Config) -> dict[TemplateKey, Template]:
    """Load the template of each stage, and that of the contrast where one is made.

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
    templates: dict[TemplateKey, Template] = {
        "sample": load_template("sample", named.sample, root),
        "critique": load_template("critique", named.critique, root),
        "revise": load_template("revise", revise, root),
        judging_stage(config): _load_judging(config, root),
    }
    if config.loop.direct and "critique" in templates["revise"].inputs:
        raise ConfigError(
            f"loop.direct revises without a critique, but the template revise/{revise} shows one. "
            "Choose templates.revise: direct, or set loop.direct: false."
        )
    if "contrast" in config.loop.pairs:
        templates["contrast"] = load_template("sample", named.contrast, root)
    check_principles(templates["sample"], templates.get("contrast"))
    return templates


_NEEDS = {"reasoning": "reasoning", "score": "principles", "propositions": "proposition"}
"""What the template must show, by mode of the judge."""
_DEFAULTS = {"reasoning": "reasoning", "score": "expected", "propositions": "proposition"}
"""Which template is the default one, by mode of the judge."""


def _load_judging(config: Config, root: Path | None) -> Template:
    stage, mode = judging_stage(config), config.judge.mode
    named = config.templates.judge if stage == "judge" else config.templates.score
    name = _DEFAULTS.get(mode, named) if named == "default" else named
    template = load_template(stage, name, root)
    if stage == "judge" and len(template.labels) != 2:
        raise ConfigError(
            f"The template judge/{name} has labels {list(template.labels)}; "
            "a pairwise judge needs exactly two, such as [A, B]."
        )
    needed = _NEEDS.get(mode)
    if needed and needed not in template.inputs:
        raise ConfigError(
            f"judge.mode: {mode} needs a template that shows '{needed}'; {stage}/{name} shows "
            f"{', '.join(sorted(template.inputs))}. Choose templates.{stage}: {_DEFAULTS[mode]}, "
            "or another mode."
        )
    if mode == "labels" and "reasoning" in template.inputs:
        raise ConfigError(
            f"The template judge/{name} shows a reasoning, and judge.mode: labels makes none. Set "
            "judge.mode: reasoning, or choose another template."
        )
    return template


def for_judging(
    templates: Mapping[TemplateKey, Template], config: Config, constitution: Constitution
) -> dict[TemplateKey, Template]:
    """The templates with that of the judge as its switches have it.

    Raises:
        ConfigError: the constitution lacks what the judge shows or asks about, or has no principle
            for some of the prompts.
    """
    require_judgeable(config, constitution)
    Scopes(config, constitution)
    stage = judging_stage(config)
    return {**templates, stage: judging_template(templates[stage], config, constitution)}


def make_plan(
    config: Config,
    constitution: Constitution,
    templates: Mapping[TemplateKey, Template],
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

    Raises:
        ConfigError: the judge cannot be asked in this way, or two judges are the same model.
    """
    templates = for_judging(templates, config, constitution)
    judges = {role: engine.fingerprint for role, engine in engines.judging.items()}
    _require_different(judges)
    keys = {k: v for k, v in asked(config).items() if not k.startswith(_NAMES)}
    keys["constitution"] = constitution.hash
    keys["reading"] = _READING
    keys |= {f"templates.{stage}": template.hash for stage, template in templates.items()}
    keys |= {
        "models.policy.fingerprint": engines.policy.fingerprint,
        "models.critic.fingerprint": engines.critic.fingerprint,
        "models.judge.fingerprint": engines.judge.fingerprint,
        **{f"models.{role}.fingerprint": name for role, name in judges.items()},
    }
    which: dict[str, Any] = {"prompts": prompts_hash}
    if limited := restrictions(config.prompts):
        keys["prompts.principles"] = limited
    if Scopes(config, constitution).by_tags:
        # Tags decide which principles a prompt is under, and they come from the prompt files.
        keys |= which
    if config.prompts.mix:
        which["prompts.mix"] = [[one.share, list(one.tags)] for one in config.prompts.mix]
    determines = {k: v for k, v in keys.items() if not k.startswith("split.")}
    return Plan(
        config=config,
        constitution=constitution,
        templates=templates,
        asked={**keys, **which},
        hash=content_hash(determines),
        judges=judges,
    )


def _require_different(judges: Mapping[str, str]) -> None:
    names = list(judges.values())
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        roles = " and ".join(role for role, name in judges.items() if name == twice)
        raise ConfigError(
            f"models.{roles} are the same model, {twice}, which gives the same answers. Name "
            "different models."
        )
