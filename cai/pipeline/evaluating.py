"""The stage `evaluate`: what the models do, before training and after. Resumed by its store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cai import __version__
from cai.config import asked
from cai.config.policy import with_policy
from cai.constitution.lock import resolve_locked
from cai.errors import ConfigError, nearest
from cai.evaluate.records import Subject
from cai.evaluate.registry import find_evaluation
from cai.evaluate.results import EVALUATION, write_result
from cai.evaluate.session import Session
from cai.hashing import content_hash
from cai.loop import load_templates
from cai.loop.source import open_source
from cai.pipeline.generating import spent
from cai.pipeline.identity import judge_identity, path_identity, role_identity
from cai.pipeline.stages import Done
from cai.yaml import parse_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.config import ModelConfig
    from cai.evaluate.registry import Evaluation, EvaluationSettings
    from cai.pipeline.desk import Desk
    from cai.pipeline.stages import Begun, Stage

__all__ = ["carry_out", "evaluations", "inputs", "subjects"]

_POLICY = "policy"


def subjects(desk: Desk) -> list[Subject]:
    """The models that are evaluated, the policy before training first.

    Raises:
        ConfigError: a name means no model of the pipeline.
    """
    known = {_POLICY: desk.config.models.policy, **_trained(desk)}
    wanted = desk.config.pipeline.evaluate.subjects or tuple(known)
    for name in wanted:
        if name not in known:
            raise ConfigError(
                f"pipeline.evaluate.subjects: no model is called '{name}'. Allowed: "
                f"{', '.join(known)}.{nearest(name, known)}"
            )
    return [Subject(name, known[name]) for name in known if name in wanted]


def evaluations(desk: Desk) -> dict[str, tuple[Evaluation, EvaluationSettings]]:
    """What is asked of the models, and how.

    Raises:
        ConfigError: a key does not fit, or there is no such evaluation.
    """
    section = desk.config.pipeline.evaluate
    common = {} if section.limit is None else {"limit": section.limit}
    found = {}
    for name, settings in section.wanted.items():
        one = find_evaluation(name)
        where = f"pipeline.evaluate.{name}"
        found[name] = (one, parse_model(one.settings, {**common, **settings}, where))
    return found


def inputs(desk: Desk, stage: Stage) -> dict[str, str]:
    """Hashes of the models, of what is asked of them, and of who judges."""
    del stage
    config = desk.config
    named = [[one.name, role_identity(one.model)] for one in subjects(desk)]
    settings = {name: one.model_dump(mode="json") for name, (_, one) in evaluations(desk).items()}
    constitution = resolve_locked(config.constitution, desk.folder)
    sample = load_templates(config)["sample"].hash
    return {
        "models": content_hash(named),
        "settings": content_hash([settings, *map(path_identity, _files(settings))]),
        "judge": judge_identity(config, constitution.hash),
        "sampling": content_hash([asked(config.loop.sample), config.loop.seed, sample]),
        "prompts": content_hash([open_source(config.prompts, None).hash, config.prompts.limit]),
        "toolkit": __version__,
    }


def carry_out(desk: Desk, stage: Stage, begun: Begun) -> Done:
    """Carry out one evaluation after the other; each writes its result.

    Raises:
        CaiError: as the evaluations.
    """
    del stage, begun
    folder, models = desk.folder / EVALUATION, subjects(desk)
    constitution = resolve_locked(desk.config.constitution, desk.folder)
    written = []
    with Session(desk.config, constitution, folder) as session:
        for one, settings in evaluations(desk).values():
            calls, usd = _so_far(session)
            result = asyncio.run(one.measure(session, models, settings, desk.watcher.tick))
            after = _so_far(session)
            # Evaluations share the store, so that what one has asked is remembered for the next.
            own = replace(result, calls=after[0] - calls, usd=after[1] - usd)
            written.append(write_result(own, folder))
    return Done(tuple(written), *spent(folder))


def _so_far(session: Session) -> tuple[int, float]:
    """Answers that were needed so far in this process, and dollars of all times."""
    meter = session.meter
    return meter.asked + meter.remembered, session.store.spent().usd


def _files(value: object) -> Iterator[str]:
    """Texts in plain data that name a file."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _files(one)
    elif isinstance(value, str) and Path(value).is_file():
        yield value


def _trained(desk: Desk) -> dict[str, ModelConfig]:
    """The policies of all rounds by name, as models that the engine of the policy runs."""
    found: dict[str, ModelConfig] = {}
    for number in range(1, desk.config.pipeline.rounds + 1):
        for one in desk.config.pipeline.train:
            if one.method == "rm":
                continue
            name = one.name if number == 1 else f"{one.name}-{number}"
            if name in found or name == _POLICY:
                raise ConfigError(
                    f"pipeline.train: two models would be called '{name}' in the evaluation; in "
                    "round 2 names end with -2, and `policy` is the model before training. Rename "
                    "a training."
                )
            folder = desk.model(one.name, number)
            found[name] = with_policy(desk.config, folder).models.policy
    return found
