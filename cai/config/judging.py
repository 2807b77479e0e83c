"""The section about the judge: how a pair of answers becomes a label."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cai.config.section import ADDED, Fraction, Section

__all__ = ["JudgeConfig", "ReasoningSamplingConfig"]


class ReasoningSamplingConfig(Section):
    """How reasonings decode."""

    max_tokens: int = Field(default=256, ge=1)
    """Most tokens that a reasoning may have; one that is cut off gives no verdict."""
    temperature: float = Field(default=1.0, ge=0.0, le=5.0)
    """1 samples from the model's own distribution, 0 always takes the likeliest token."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Samples only from the likeliest tokens that together hold this much probability."""


class JudgeConfig(Section):
    """How a pair becomes a label."""

    mode: Literal["labels", "reasoning", "score", "propositions"] = Field(
        default="labels", json_schema_extra=ADDED
    )
    """`labels` asks for the better answer; `reasoning` lets the judge think first; `score` rates
    each answer on its own; `propositions` asks whether statements about each answer are true."""
    scope: Literal["drawn", "constitution", "each"] = "drawn"
    """Judges under principles drawn for the pair, under the whole constitution at once, or under
    each principle of it in a question of its own."""
    orders: Literal["both", "first"] = "both"
    """Asks in both orders of the two answers and averages, or only in the first: half the price,
    and the judge's preference for a slot stays in the labels. Scores and propositions are about
    one answer and have no order."""
    votes: int = Field(default=5, ge=1, le=101)
    """Short samples per order from a judge that gives no log-probabilities; its probability is
    then their share."""
    principles: int = Field(default=1, ge=1, le=64)
    """With scope `drawn`: how many different principles judge each pair; their
    probabilities are averaged. Heavier principles are drawn more often."""
    aggregate: Literal["mean", "median", "weighted", "worst", "priority"] | None = Field(
        default=None, json_schema_extra=ADDED
    )
    """How the probabilities under several principles become one; as the constitution says when
    absent, and else `mean`. `weighted` counts each by its weight; `worst` takes the least margin by
    which all principles name the same winner, and 0.5 where they do not; `priority` goes by the
    highest of the constitution's priorities that decides, which is the first whose mean lies
    outside `tie_band`, and by the mean of all where none does."""
    panel: Literal["mean", "majority"] = Field(default="mean", json_schema_extra=ADDED)
    """How a panel of judges is put together: the mean of the probabilities, or the share of judges
    that name the answer, with a tie as half a vote."""
    fallback_on: tuple[Literal["refused", "unparsed", "truncated", "tie"], ...] = Field(
        default=("refused",), json_schema_extra=ADDED
    )
    """Outcomes of the judge after which `models.fallback_judge` is asked."""
    preamble: bool = Field(default=False, json_schema_extra=ADDED)
    """Shows the summary of the constitution before each question."""
    few_shot: bool = Field(default=True, json_schema_extra=ADDED)
    """Shows the examples of the template."""
    quoting: Literal["plain", "nonce"] = Field(default="plain", json_schema_extra=ADDED)
    """`nonce` gives the tags around quoted texts a code that no answer can know, and makes
    delimiters in disguise harmless; a few dozen tokens more per question. `plain` does neither."""
    reasonings: int = Field(default=1, ge=1, le=64, json_schema_extra=ADDED)
    """With mode `reasoning`: how many are sampled for each question; their probabilities are
    averaged."""
    reasoning: ReasoningSamplingConfig = Field(
        default=ReasoningSamplingConfig(), json_schema_extra=ADDED
    )
    """Decoding of reasonings."""
    clamp: tuple[Fraction, Fraction] = Field(default=(0.4, 0.6), json_schema_extra=ADDED)
    """With mode `reasoning`: bounds of the probability after each reasoning, which is nearly always
    close to 0 or 1 (2212.08073, §4.1). [0, 1] leaves it as it is."""
    score_temperature: float = Field(default=1.0, gt=0.0, json_schema_extra=ADDED)
    """With mode `score`: points of difference at which the better answer has the odds e to 1."""
    tie_band: float = Field(default=0.05, ge=0.0, lt=0.5)
    """A probability within 0.5 ± this is a tie."""
    min_mass: Fraction = 0.2
    """With less probability than this on the labels together the verdict is `unparsed`."""
    top_logprobs: int = Field(default=20, ge=2, le=1000)
    """How many alternatives of the first token to look at. Most servers allow up to 20."""

    @model_validator(mode="after")
    def _bounds_leave_room(self) -> Self:
        low, high = self.clamp
        if low >= high or abs(low + high - 1.0) > 1e-9:
            raise ValueError(
                f"clamp must have 0.5 in its middle, such as [0.4, 0.6]; got [{low}, {high}]. "
                "Otherwise it would favour one slot"
            )
        if self.mode == "reasoning" and high - 0.5 <= self.tie_band + 1e-12:
            raise ValueError(
                f"clamp [{low}, {high}] lies within 0.5 ± tie_band ({self.tie_band}): every "
                "verdict would be a tie. Widen clamp, or set a smaller tie_band"
            )
        return self

    @model_validator(mode="after")
    def _weights_count_once(self) -> Self:
        if self.aggregate == "weighted" and self.scope == "drawn":
            raise ValueError(
                "aggregate: weighted with scope: drawn would count weights twice, because heavier "
                "principles are drawn more often. Set scope: each, or aggregate: mean"
            )
        return self
