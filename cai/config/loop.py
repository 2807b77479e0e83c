"""The section about the loop: how answers are made, and which pairs of them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cai.config.section import ADDED, Section

__all__ = [
    "ConfirmConfig",
    "ContrastConfig",
    "CritiqueSamplingConfig",
    "LoopConfig",
    "RevisedConfig",
    "SamplingConfig",
]


class SamplingConfig(Section):
    """How one stage decodes."""

    max_tokens: int = Field(default=512, ge=1)
    """Most tokens that an answer may have."""
    temperature: float = Field(default=1.0, ge=0.0, le=5.0)
    """1 samples from the model's own distribution, 0 always takes the likeliest token."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Samples only from the likeliest tokens that together hold this much probability."""


class CritiqueSamplingConfig(SamplingConfig):
    """How critiques decode. A section that sets one key keeps the shorter default of the other."""

    max_tokens: int = Field(default=256, ge=1)
    """Most tokens that a critique may have."""


class ConfirmConfig(Section):
    """Which pairs the judge must confirm before they are trained on."""

    revision: bool = False
    """Keeps a pair (original, revision) as a preference only if the judge prefers the revision."""
    margin: float = Field(default=0.0, ge=0.0, lt=0.5)
    """The judge's probability for the revision must be above 0.5 by more than this."""


class ContrastConfig(Section):
    """Pairs of an answer under the constitution and one without it."""

    judge: bool = True
    """Judges them like all pairs. If not, the answer under the constitution counts as the better
    one with p = 1, by construction (Open Character Training, Maiya et al. 2025)."""


class RevisedConfig(Section):
    """Pairs of an original and its final revision."""

    judge: bool = True
    """Judges them like all pairs. If not, the revision counts as the better one with p = 1, by
    construction, as in llm-swarm's recipe (Huang et al. 2024)."""


class LoopConfig(Section):
    """Sample, critique, revise, pair."""

    seed: int = 0
    """Every draw of the run depends on it."""
    samples: int = Field(default=2, ge=1, le=64)
    """Answers sampled per prompt."""
    rounds: int = Field(default=1, ge=0, le=16)
    """Rounds of critique and revision."""
    revise: Literal["first", "all"] = "first"
    """Revises the first sample only, or all of them."""
    unrevised: tuple[str, ...] = Field(default=(), json_schema_extra=ADDED)
    """Tags of prompts whose answers are not revised: helpful prompts beside harmful ones. With
    `sft.samples`, `cai train sft` imitates their samples (2212.08073, §3.1)."""
    direct: bool = False
    """Revises without a critique, from the principle alone."""
    skip_when_clean: bool = True
    """Leaves a response alone when the critique finds nothing; recorded as `skipped`."""
    truncated: Literal["drop", "trim", "keep"] = "drop"
    """What becomes of text that hit the token limit: unusable, cut back to its last whole
    sentence, or used as it is."""
    pairs: tuple[Literal["revision", "samples", "contrast"], ...] = ("revision", "samples")
    """Which pairs are made: (original, final revision), (sample, sample), and (answer with the
    constitution in its prompt, answer without)."""
    pairing: Literal["all", "best_worst", "adjacent", "reference"] = Field(
        default="all", json_schema_extra=ADDED
    )
    """Which samples are paired: every two; every two, of which only the best against the worst by
    Bradley–Terry becomes a preference; each with the next; or the first with each other."""
    confirm: ConfirmConfig = Field(default=ConfirmConfig(), json_schema_extra=ADDED)
    """Which pairs the judge must confirm."""
    contrast: ContrastConfig = Field(default=ContrastConfig(), json_schema_extra=ADDED)
    """Pairs of the kind `contrast`."""
    revised: RevisedConfig = Field(default=RevisedConfig(), json_schema_extra=ADDED)
    """Pairs of the kind `revision`."""
    sample: SamplingConfig = SamplingConfig()
    """Decoding of samples."""
    critique: CritiqueSamplingConfig = CritiqueSamplingConfig()
    """Decoding of critiques."""
    revision: SamplingConfig = SamplingConfig()
    """Decoding of revisions."""

    @model_validator(mode="after")
    def _pairs_can_exist(self) -> Self:
        if self.pairs == ("samples",) and self.samples < 2:
            raise ValueError("pairs: [samples] needs samples of 2 or more")
        return self

    @model_validator(mode="after")
    def _confirming_takes_a_judge(self) -> Self:
        if self.confirm.revision and not self.revised.judge:
            raise ValueError(
                "confirm.revision keeps what the judge prefers, and with revised.judge: false it "
                "is not asked. Leave one of them out"
            )
        return self

    @property
    def asks_judge(self) -> bool:
        """Whether any kind of pair is judged."""
        built = {"contrast": not self.contrast.judge, "revision": not self.revised.judge}
        return any(not built.get(kind, False) for kind in self.pairs)
