"""The section about the pipeline: what `cai run` does beside generating, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from cai.config.section import Section

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CheckConfig", "EvaluateConfig", "PipelineConfig", "TrainingConfig"]

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
_Settings = dict[str, Any]

_KEPT = {"output": "models/<name> in the run", "gate": "as pipeline.validate has it"}
"""Keys of a training that the pipeline sets."""


_PATHS = frozenset(
    {
        *("candidates", "cases", "check", "config", "data", "file", "labelled", "name", "path"),
        *("prompts", "questions", "reference", "run"),
    }
)
"""Keys of settings whose values are paths, where there is something at that path."""


class _Aliased(Section):
    """A section with a key that is no name in Python, or that of a method of all sections."""

    model_config = ConfigDict(serialize_by_alias=True)


class CheckConfig(Section):
    """What is looked for in the rows before anything is trained on them."""

    fail_on: tuple[str, ...] = ()
    """Names of quality checks (those of `cai check`) whose warnings and errors stop the
    pipeline."""
    against: tuple[str, ...] = ()
    """Evaluation files whose items must not be in the data, relative to the config."""


class TrainingConfig(_Aliased):
    """One training. It is written to the folder `models/<name>` of the run."""

    name: _Name
    """Name of the training, and of the model that it makes in tables."""
    method: Literal["sft", "rm", "dpo", "kto", "ppo", "grpo", "rloo"]
    """What to do, as for `cai train`."""
    from_: _Name | None = Field(default=None, alias="from")
    """An earlier training whose model is trained further. When absent: `model.name` of the
    settings, or else the policy. In later rounds a policy goes on from the last one of the round
    before, and so does a reward model without `model.name`."""
    settings: _Settings = Field(default={})
    """Keys of the config of `cai train`, such as `training.max_steps: 20` or `dpo.beta: 0.1`. As a
    path, `made:NAME` is the folder of an earlier training, `made:config` this config, whose judge a
    reward can ask, and `made:run` the run, which is the only source of `data` when none is
    named."""

    @property
    def goes_on(self) -> bool:
        """Whether it begins, in later rounds, with the last policy of the round before."""
        own = self.method == "rm" and "model.name" in self.settings
        return self.from_ is None and not own

    @field_validator("settings")
    @classmethod
    def _by_dotted_keys(cls, settings: _Settings) -> _Settings:
        return _flat(settings)

    @model_validator(mode="after")
    def _leaves_to_the_pipeline_what_it_sets(self) -> Self:
        for key, what in _KEPT.items():
            if key in self.settings:
                raise ValueError(f"settings: {key} is set by the pipeline: {what}. Leave it out")
        if self.name in ("run", "config"):
            raise ValueError(
                f"name: {self.name} is taken: made:{self.name} is the run's own. Choose another "
                "name"
            )
        if self.from_ is not None and "model.name" in self.settings:
            raise ValueError(
                f"from: {self.from_} and model.name in settings both name the model that is "
                "trained. Leave one out"
            )
        return self


class EvaluateConfig(_Aliased):
    """What the models are asked at the end. Nothing is, where no evaluation is named."""

    refusal: _Settings | None = None
    """How often the models refuse what they should answer, and answer what they should refuse;
    settings of `cai evaluate refusal`. All of these take `{}` for the defaults."""
    winrate: _Settings | None = None
    """How often each model is preferred to the first one; settings of `cai evaluate winrate`."""
    adherence: _Settings | None = None
    """How far answers follow each principle; settings of `cai evaluate adherence`."""
    probes: _Settings | None = None
    """Sycophancy, calibration, evasiveness and swaps; settings of `cai evaluate probes`."""
    two_turn: _Settings | None = Field(default=None, alias="two-turn")
    """Helpfulness in two turns, on `questions: FILE`; settings of `cai evaluate two-turn`."""
    tax: _Settings | None = None
    """What training cost in other abilities, without a judge; settings of `cai evaluate tax`."""
    reward_model: _Settings | None = Field(default=None, alias="reward-model")
    """How often the reward models prefer the better answer, on `data: FILE` or else on the pairs of
    the split dev; settings of `cai evaluate reward-model`. It is about trainings with `method: rm`,
    the others are about policies."""
    limit: int | None = Field(default=None, ge=1)
    """Only so many cases, questions or prompts of each evaluation."""
    subjects: tuple[_Name, ...] = ()
    """Models that are evaluated: `policy`, which is the model before training, and names of
    trainings, with `-2` after them in the second round. When no policy is named: all of them; the
    same goes for reward models."""

    @property
    def wanted(self) -> dict[str, _Settings]:
        """The evaluations that are asked for, and their settings."""
        others = ("limit", "subjects")
        named = {
            field.alias or name: getattr(self, name)
            for name, field in type(self).model_fields.items()
            if name not in others
        }
        return {name: settings for name, settings in named.items() if settings is not None}


class PipelineConfig(_Aliased):
    """What `cai run` does: generate, check, validate, train, evaluate, report."""

    validation: Literal["required", "skip"] = Field(default="required", alias="validate")
    """`required` waits before the first training until people have labelled a sample and the gate
    lets the labels through. `skip` trains without them, and all reports say so."""
    rounds: int = Field(default=1, ge=1, le=16)
    """More than one generates and trains again: the last policy of a round answers the prompts of
    the next one. Round 2 is a run of its own in `rounds/2`, and so on."""
    check: CheckConfig = CheckConfig()
    """What is looked for in the rows."""
    train: tuple[TrainingConfig, ...] = ()
    """Trainings in their order."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """What the models are asked at the end."""
    report: bool = True
    """Writes `report.html` and `summary.md` into the run."""

    def anchored(self, base: Path) -> PipelineConfig:
        """The same with paths that exist relative to a folder made absolute."""
        evaluations = {
            name.replace("-", "_"): _anchored(settings, base)
            for name, settings in self.evaluate.wanted.items()
        }
        against = tuple(_anchored({"file": file}, base)["file"] for file in self.check.against)
        return self.model_copy(
            update={
                "check": self.check.model_copy(update={"against": against}),
                "train": tuple(
                    one.model_copy(update={"settings": _anchored(one.settings, base)})
                    for one in self.train
                ),
                "evaluate": self.evaluate.model_copy(update=evaluations),
            }
        )

    @property
    def waits(self) -> bool:
        """Whether people have to label: before a training, or where that is said outright."""
        wanted = bool(self.train) or "validation" in self.model_fields_set
        return self.validation == "required" and wanted

    @model_validator(mode="after")
    def _trainings_build_on_earlier_ones(self) -> Self:
        seen: dict[str, TrainingConfig] = {}
        for one in self.train:
            if one.name in seen:
                raise ValueError(f"train: two trainings are called '{one.name}'. Rename one")
            if one.from_ is not None and one.from_ not in seen:
                known = ", ".join(seen) or "none"
                raise ValueError(
                    f"train: '{one.name}' begins from '{one.from_}', and there is no such training "
                    f"before it. Before it: {known}"
                )
            if one.from_ is not None and seen[one.from_].method == "rm" != one.method:
                raise ValueError(
                    f"train: '{one.name}' begins from the reward model '{one.from_}', which gives "
                    "no answers. Name a policy, or leave `from` out"
                )
            seen[one.name] = one
        return self

    @model_validator(mode="after")
    def _rounds_have_a_policy(self) -> Self:
        if self.rounds > 1 and all(one.method == "rm" for one in self.train):
            raise ValueError(
                f"rounds: {self.rounds} needs a training that makes a policy, which answers the "
                "prompts of the next round. Add one to train, or set rounds: 1"
            )
        return self


def _flat(settings: _Settings, prefix: str = "") -> _Settings:
    """Sections within settings as dotted keys.

    Raises:
        ValueError: a key is there twice, once in a section and once with dots.
    """
    found: _Settings = {}
    for key, value in settings.items():
        nested = isinstance(value, dict) and value
        for name, one in (_flat(value, f"{key}.") if nested else {key: value}).items():
            if name in found:
                raise ValueError(f"{prefix}{name} is set twice, in a section and with dots")
            found[name] = one
    return {f"{prefix}{name}": one for name, one in found.items()}


def _anchored(value: Any, base: Path, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _anchored(one, base, name.rpartition(".")[2]) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_anchored(one, base, key) for one in value]
    if key in _PATHS and isinstance(value, str) and value and (base / value).exists():
        return str((base / value).resolve())
    return value
