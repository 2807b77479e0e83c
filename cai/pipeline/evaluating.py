"""The stage `evaluate`: what the models do, before training and after. Resumed by its store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cai import __version__
from cai.config import asked
from cai.config.policy import with_policy
from cai.constitution.case_files import load_cases
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
from cai.pipeline.scoring import learned_scores
from cai.pipeline.stages import Done
from cai.store import RunStore
from cai.store.gate import labels_state
from cai.yaml import parse_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cai.config import ModelConfig
    from cai.constitution.models import Constitution
    from cai.evaluate.registry import Evaluation, EvaluationSettings
    from cai.pipeline.desk import Desk
    from cai.pipeline.stages import Begun, Stage

__all__ = ["carry_out", "evaluated", "evaluations", "inputs", "reward_models", "subjects"]

_POLICY = "policy"


def subjects(desk: Desk) -> list[Subject]:
    """The models that are evaluated, the policy before training first.

    Raises:
        ConfigError: a name means no model of the pipeline.
    """
    known, rewarding = _trained(desk)
    named = desk.config.pipeline.evaluate.subjects
    every = [*known, *rewarding]
    for name in named:
        if name not in every:
            raise ConfigError(
                f"pipeline.evaluate.subjects: no model is called '{name}'. Allowed: "
                f"{', '.join(every)}.{nearest(name, every)}"
            )
    return _chosen(known, named)


def reward_models(desk: Desk) -> list[Subject]:
    """The reward models of all rounds; those in `subjects` alone where any is named there.

    Raises:
        ConfigError: two models would have one name.
    """
    _, rewarding = _trained(desk)
    return _chosen(rewarding, desk.config.pipeline.evaluate.subjects)


def evaluated(desk: Desk, one: Evaluation) -> list[Subject]:
    """The models that an evaluation is about; errors are those of `subjects`."""
    return subjects(desk) if one.of == "policies" else reward_models(desk)


def _chosen(known: dict[str, ModelConfig], named: Sequence[str]) -> list[Subject]:
    some = [name for name in known if name in named] or known
    return [Subject(name, known[name]) for name in some]


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
    chosen = evaluations(desk)
    asked_ones = {one.name: one for about, _ in chosen.values() for one in evaluated(desk, about)}
    named = [[name, role_identity(one.model)] for name, one in asked_ones.items()]
    settings = {name: one.model_dump(mode="json") for name, (_, one) in chosen.items()}
    constitution = resolve_locked(config.constitution, desk.folder)
    sample = load_templates(config)["sample"].hash
    return {
        "models": content_hash(named),
        "settings": content_hash([settings, *map(path_identity, _files(settings))]),
        "judge": judge_identity(config, constitution.hash),
        "sampling": content_hash([asked(config.loop.sample), config.loop.seed, sample]),
        "known": content_hash(_known(desk, constitution, chosen)),
        "prompts": content_hash([open_source(config.prompts, None).hash, config.prompts.limit]),
        "toolkit": __version__,
    }


def carry_out(desk: Desk, stage: Stage, begun: Begun) -> Done:
    """Carry out one evaluation after the other; each writes its result.

    Raises:
        CaiError: as the evaluations.
    """
    del stage, begun
    folder = desk.folder / EVALUATION
    constitution = resolve_locked(desk.config.constitution, desk.folder)
    written = []
    with (
        RunStore.read(desk.folder) as run,
        Session(desk.config, constitution, folder, run=run) as session,
    ):
        for one, settings in evaluations(desk).values():
            calls, usd = _so_far(session)
            # Reward models are opened above the room of evaluations.
            more = {} if one.of == "policies" else {"score": learned_scores}
            models = evaluated(desk, one)
            result = asyncio.run(one.measure(session, models, settings, desk.watcher.tick, **more))
            after = _so_far(session)
            # Evaluations share the store, so that what one has asked is remembered for the next.
            own = replace(result, calls=after[0] - calls, usd=after[1] - usd)
            written.append(write_result(own, folder))
    return Done(tuple(written), *spent(folder))


def _known(desk: Desk, constitution: Constitution, chosen: Iterable[str]) -> list[object]:
    """What judges are tried on by default: test cases, and what people have labelled."""
    found: list[object] = []
    if {"adherence", "winrate"} & set(chosen):
        cases = load_cases(constitution, desk.config.constitution)
        found.append([one.case.model_dump(mode="json") for one in cases])
    if "winrate" in chosen and (desk.folder / "run.db").is_file():
        with RunStore.read(desk.folder) as store:
            found.append(labels_state(store))
    return found


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


def _trained(desk: Desk) -> tuple[dict[str, ModelConfig], dict[str, ModelConfig]]:
    """The policies of all rounds by name, the one before training first, and the reward models.

    They are described as models that the engine of the policy would run.
    """
    policies = {_POLICY: desk.config.models.policy}
    rewarding: dict[str, ModelConfig] = {}
    for number in range(1, desk.config.pipeline.rounds + 1):
        for one in desk.config.pipeline.train:
            name = one.name if number == 1 else f"{one.name}-{number}"
            if name in (*policies, *rewarding):
                raise ConfigError(
                    f"pipeline.train: two models would be called '{name}' in the evaluation; in "
                    "round 2 names end with -2, and `policy` is the model before training. Rename "
                    "a training."
                )
            folder = desk.model(one.name, number)
            of = rewarding if one.method == "rm" else policies
            of[name] = with_policy(desk.config, folder).models.policy
    return policies, rewarding
