"""The one config schema. Every field is documented once, right under it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cai.config.judging import JudgeConfig
from cai.config.loop import CritiqueSamplingConfig, LoopConfig, SamplingConfig
from cai.config.models import ModelsConfig, PriceConfig
from cai.config.pipeline import PipelineConfig
from cai.config.prompts import MixConfig, PromptsConfig
from cai.config.section import ADDED, RUNTIME, Fraction, Section

__all__ = [
    "Config",
    "CritiqueSamplingConfig",
    "GateConfig",
    "LoopConfig",
    "MixConfig",
    "OutputConfig",
    "PromptsConfig",
    "RuntimeConfig",
    "SamplingConfig",
    "SplitConfig",
    "TemplatesConfig",
    "ValidationConfig",
]


class TemplatesConfig(Section):
    """Which prompt template each stage uses, by name in `prompts/<stage>/`."""

    folder: str | None = None
    """A folder of your own with the same layout, relative to the config."""
    sample: str = "default"
    """Template of the sample stage."""
    contrast: str = Field(default="constitution", json_schema_extra=ADDED)
    """Template in `prompts/sample/` that shows the principles, for pairs of the kind `contrast`."""
    critique: str = "default"
    """Template of the critique stage."""
    revise: str = "default"
    """Template of the revise stage; with `loop.direct`, name one that needs no critique."""
    judge: str = "default"
    """Template of the judge stage; with `judge.mode: reasoning`, name one that shows a reasoning,
    or leave `default`, which then stands for `reasoning`."""
    score: str = Field(default="default", json_schema_extra=ADDED)
    """Template of the score stage; `default` stands for `expected` with `judge.mode: score`, and
    for `proposition` with `propositions`."""


class SplitConfig(Section):
    """Train, dev and held-out by groups of near-duplicate prompts, before any label is seen."""

    dev: Fraction = 0.1
    """Share of groups for calibration, early stopping and the choice of checkpoints."""
    held_out: Fraction = 0.1
    """Share of groups for people and the final checks; closed to trainers."""
    similarity: float = Field(default=0.7, gt=0.0, le=1.0)
    """Jaccard similarity of word 3-grams from which prompts belong together."""
    seed: int = 0
    """Chooses another assignment."""

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> Self:
        if self.dev + self.held_out >= 1.0:
            raise ValueError("dev + held_out must stay below 1, or nothing is left to train on")
        return self


class GateConfig(Section):
    """What people's labels must show before the AI labels may be trained on; null asks nothing."""

    min_labels: int = Field(default=50, ge=1)
    """Held-out pairs that people must have labelled."""
    min_alpha: float | None = Field(default=0.6, ge=-1.0, le=1.0)
    """Krippendorff's α between people must be at least this."""
    min_kappa: float | None = Field(default=0.4, ge=-1.0, le=1.0)
    """The lower bound of Cohen's κ between judge and people must be at least this."""
    min_accuracy: float | None = Field(default=None, ge=0.0, le=1.0)
    """The lower bound of the share of right AI labels must be at least this."""
    alternative_annotator: bool = True
    """The judge must pass the alternative annotator test (Calderon et al. 2025)."""
    skill: Literal["expert", "skilled", "crowd"] = "skilled"
    """Who the annotators are; sets ε of that test to 0.2, 0.15 or 0.1."""


class ValidationConfig(Section):
    """How people check a sample of the held-out pairs, and what that must show."""

    half_width: float = Field(default=0.07, gt=0.0, lt=0.5)
    """Half of the width that the 95 % interval of the label accuracy may have."""
    expected_accuracy: Fraction = 0.75
    """Share of AI labels that are expected to be right, for the number of labels."""
    annotators: int = Field(default=3, ge=1, le=100)
    """People who label."""
    overlap: Fraction = 0.5
    """Share of the items that all of them label; the rest goes to one each."""
    repeats: Fraction = 0.05
    """Share of the items that are shown to the same annotator a second time."""
    stratify: tuple[Literal["confidence", "disagreement", "principle", "tag"], ...] = (
        "confidence",
        "disagreement",
    )
    """By what the pairs are divided, so that rare and doubtful ones are drawn more often."""
    ask_refusals: bool = False
    """Also asks which answers refuse."""
    gold: Literal["majority", "dawid-skene", "adjudicated"] = "majority"
    """How the labels of several people become one. An adjudicator's word always comes first;
    `adjudicated` leaves other disputes open."""
    gate: GateConfig = GateConfig()
    """What must be shown."""


class OutputConfig(Section):
    """What is written when a run ends, and where."""

    formats: tuple[Literal["jsonl", "parquet"], ...] = ("jsonl", "parquet")
    """File formats of the exports."""
    sft: Literal["final", "all"] = "final"
    """SFT rows from the last usable revision only, or from the revision of every round."""


class RuntimeConfig(Section):
    """How the run is carried out. Nothing here changes what is asked."""

    concurrency: int = Field(default=64, ge=1, le=100_000)
    """Most calls under way at once, over all models."""
    prompts_in_work: int | None = Field(default=None, ge=1, le=1_000_000)
    """Most prompts in work at once; when absent, as many as keep all calls busy."""
    attempts: int = Field(default=5, ge=1, le=100)
    """Tries per call before its row is recorded as failed."""
    durable: bool = True
    """Also survives a power cut (SQLite `synchronous=FULL`). A killed process never loses more
    than the calls in flight, either way."""
    budget_usd: float | None = Field(default=None, gt=0)
    """Stops before the run has cost more dollars than this, over all its starts. Calls that are
    under way then are finished."""
    budget_tokens: int | None = Field(default=None, ge=1)
    """Stops before the run has used more tokens than this, over all its starts."""


class Config(Section):
    """A whole config file."""

    format: Literal[1] = 1
    """The version of this file format."""
    run: str = Field(default="runs/default", json_schema_extra=RUNTIME)
    """Folder of the run, relative to where the command is started."""
    constitution: str = "harmless-helpful"
    """`name`, `name@1.2.0`, a range such as `name@^1`, `name@sha256:` and digits of its hash, or
    the path of a constitution file (relative to the config). Names are looked for in
    `constitution/` of the current folder and among the packaged ones; the run pins what it found
    in its `constitution.lock.yaml`."""
    prompts: PromptsConfig
    """Where the prompts come from."""
    models: ModelsConfig = ModelsConfig()
    """Which model plays which role."""
    templates: TemplatesConfig = TemplatesConfig()
    """Which prompt template each stage uses."""
    loop: LoopConfig = LoopConfig()
    """Sample, critique, revise, pair."""
    judge: JudgeConfig = JudgeConfig()
    """How a pair becomes a label."""
    split: SplitConfig = SplitConfig()
    """Train, dev and held-out."""
    validation: ValidationConfig = Field(default=ValidationConfig(), json_schema_extra=RUNTIME)
    """How people check a sample of the held-out pairs."""
    output: OutputConfig = Field(default=OutputConfig(), json_schema_extra=RUNTIME)
    """What is written at the end, and where."""
    runtime: RuntimeConfig = Field(default=RuntimeConfig(), json_schema_extra=RUNTIME)
    """How the run is carried out."""
    pipeline: PipelineConfig = Field(default=PipelineConfig(), json_schema_extra=RUNTIME)
    """What `cai run` does beside generating."""
    prices: dict[str, PriceConfig] = Field(default={}, json_schema_extra=RUNTIME)
    """Prices by model name, in place of the packaged price table or beside it. A name may be a
    pattern such as `gpt-*`."""
