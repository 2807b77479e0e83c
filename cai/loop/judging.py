"""From a plan to the judge of its pairs: mode, panel and fallback, each behind its caller."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cai.errors import ConfigError
from cai.judge import Jury, PointwiseJudge, Seat, open_judge
from cai.templates import load_template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from cai.config import Config, ModelsConfig
    from cai.constitution.models import Aggregate, Constitution
    from cai.judge import PairJudge
    from cai.judge.pairwise import Asking
    from cai.loop.plan import Plan
    from cai.records import Stage
    from cai.templates import Template

__all__ = [
    "FALLBACK",
    "aggregate_of",
    "judging_stage",
    "judging_template",
    "logprobs_of",
    "open_jury",
    "open_pointwise",
    "own_or_packaged",
    "require_judgeable",
    "seats",
    "self_preference",
]

FALLBACK = "fallback_judge"
"""The role that is asked where the others give no verdict."""


def open_jury(
    plan: Plan,
    asking: Mapping[str, Asking],
    *,
    logprobs: Literal["auto", "never"] | None = None,
    secret: bytes = b"",
) -> Jury:
    """The judge of a plan.

    Args:
        plan: what is asked.
        asking: the model of each role that judges, by the names of `Engines.judging`. In the
            records they go by their fingerprints; the only judge of a run has no name.
        logprobs: in place of what the config says of each model.
        secret: key of the codes that `judge.quoting: nonce` puts into delimiters.
    """
    judge = plan.config.judge.model_copy(
        update={"aggregate": aggregate_of(plan.config, plan.constitution)}
    )
    template = plan.templates[judging_stage(plan.config)].with_secret(secret)

    def pair_judge(role: str) -> PairJudge:
        return open_judge(
            asking[role],
            template,
            judge,
            logprobs=logprobs or logprobs_of(plan.config.models, role),
            seed=plan.config.loop.seed,
        )

    members, fallback = seats(plan, pair_judge)
    return Jury(members, judge, fallback, level=plan.constitution.level)


def seats(plan: Plan, opening: Callable[[str], PairJudge]) -> tuple[list[Seat], Seat | None]:
    """The judges of a plan, and who stands in for them.

    Args:
        plan: has the roles.
        opening: makes the judge of a role.
    """

    def seat(role: str) -> Seat:
        return Seat("" if role == "judge" else plan.judges[role], opening(role))

    members = [seat(role) for role in plan.judges if role != FALLBACK]
    return members, seat(FALLBACK) if FALLBACK in plan.judges else None


def open_pointwise(config: Config, role: str, caller: Asking, template: Template) -> PointwiseJudge:
    """The judge of one answer at a time, as the config has it.

    Args:
        config: its `judge` counts, what it says of the role's model, and the seed.
        role: that the model plays.
        caller: the model.
        template: of the stage `score`.

    Raises:
        ConfigError: the labels of the template make no scale.
    """
    logprobs = logprobs_of(config.models, role)
    return PointwiseJudge(caller, template, config.judge, logprobs=logprobs, seed=config.loop.seed)


def own_or_packaged(config: Config, name: str) -> Template:
    """`score/NAME` in `templates.folder`; the packaged one where that is absent or has none.

    Raises:
        ConfigError: it breaks the format.
    """
    folder = Path(config.templates.folder) if config.templates.folder else None
    own = folder is not None and (folder / "score" / f"{name}.jinja").is_file()
    return load_template("score", name, folder if own else None)


def aggregate_of(config: Config, constitution: Constitution) -> Aggregate:
    """How verdicts under several principles become one: as the config says, or the constitution.

    Where principles are drawn, heavier ones are drawn more often, so that a constitution's
    `weighted` would count weights twice; a plain mean counts them once.
    """
    if config.judge.aggregate is not None:
        return config.judge.aggregate
    if constitution.aggregate == "weighted" and config.judge.scope == "drawn":
        return "mean"
    return constitution.aggregate or "mean"


def judging_stage(config: Config) -> Stage:
    """The stage whose template the judge's mode uses."""
    return "judge" if config.judge.mode in ("labels", "reasoning") else "score"


def logprobs_of(models: ModelsConfig, role: str) -> Literal["auto", "never"]:
    """What the config says of log-probabilities; engines that are given in Python are tried."""
    model = models.roles.get(role)
    return model.logprobs if model else "auto"


def judging_template(template: Template, config: Config, constitution: Constitution) -> Template:
    """The template of the judge as `judge.preamble`, `judge.few_shot` and `judge.quoting` have it.

    Raises:
        ConfigError: there is no preamble to show, no summary to show in it, or what is quoted has
            no tags that could carry a code.
    """
    if not config.judge.few_shot:
        template = template.without_examples()
    if config.judge.quoting == "nonce":
        template = template.with_nonces()
    if not config.judge.preamble:
        return template
    shown = " ".join((constitution.preamble or constitution.summary).split())
    if not shown:
        raise ConfigError(
            "judge.preamble shows the preamble of the constitution, or its summary, but "
            f"{constitution.label} has neither. Write one, or set judge.preamble: false."
        )
    return template.with_preamble(shown)


def require_judgeable(config: Config, constitution: Constitution) -> None:
    """Refuse a constitution that lacks what its verdicts are put together by.

    Raises:
        ConfigError: it is to aggregate by priority and has no priorities.
    """
    if aggregate_of(config, constitution) == "priority" and not constitution.priorities:
        raise ConfigError(
            f"aggregate: priority needs an order of principles, and {constitution.label} has no "
            "'priorities'. Add them to the constitution, highest first, such as priorities: "
            "['harmlessness.*', 'tag:honesty'], or choose another aggregate."
        )


def self_preference(models: ModelsConfig) -> str:
    """A warning where the model to be aligned judges itself; empty where it does not.

    Models rate their own answers higher than others do (Panickssery et al. 2024, 2404.13076).
    """
    roles = models.roles
    policy = (models.policy.engine, models.policy.model, models.policy.revision)
    judges = [model for role, model in roles.items() if role == "judge" or role[:7] == "judges."]
    if models.policy.engine == "scripted" or any(
        (judge.engine, judge.model, judge.revision) != policy for judge in judges
    ):
        return ""
    return (
        f"The judge is the model to be aligned ({models.policy.model}). Models prefer their own "
        "answers; name another under models.judge, or a panel under models.judges."
    )
